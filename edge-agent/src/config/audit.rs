//! The section `[audit]`, resolved.

use super::raw::RawSyslog;
use super::resolve::Resolver;
use crate::audit::SyslogParams;
use crate::publish::TlsParams;

/// By RFC 5425.
const SYSLOG_PORT: u16 = 6514;

impl Resolver<'_> {
    pub(super) fn syslog(&mut self, raw: &RawSyslog) -> Option<SyslogParams> {
        let example = "syslogs://soc.example:6514";
        let text = self.required("audit.syslog.url", raw.url.as_ref(), &format!("write it like {example}"));
        let url = text.and_then(|text| self.url("audit.syslog.url", text, &["syslogs"], example));
        let cure = "name the PEM file of the authorities that sign the collector's certificate";
        let ca = self.required("audit.syslog.ca", raw.ca.as_ref(), cure).map(|ca| self.site_dir().join(ca));
        let client = match (&raw.certificate, &raw.key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => {
                self.secret("audit.syslog.key", key).map(|key| (self.site_dir().join(certificate), key))
            }
            _ => {
                self.one_of_two("audit.syslog", ["certificate", "key"]);
                None
            }
        };
        let (url, ca) = (url?, ca?);
        let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
        Some(SyslogParams::new(host, url.port().unwrap_or(SYSLOG_PORT), TlsParams { ca, client }))
    }
}
