//! The status page for other machines, resolved: TLS and whoever may come in, or an error.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use super::explain::nearest;
use super::raw::RawRemote;
use super::resolve::Resolver;
use super::secret::SecretRef;
use crate::access::Role;

/// How the status page is served to other machines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Host names and addresses that it answers to, in lower case; addresses of IPv6 in brackets.
    pub names: Vec<String>,
    /// PEM file of its certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: SecretRef,
    /// The accounts file; `None` only with `client_ca`.
    pub accounts: Option<PathBuf>,
    /// PEM file of the authorities of clients' certificates.
    pub client_ca: Option<PathBuf>,
    /// Roles by the names in clients' certificates.
    pub roles: BTreeMap<String, Role>,
}

impl Resolver<'_> {
    pub(super) fn remote(&mut self, raw: &RawRemote) -> Option<Remote> {
        let names = self.page_names(&raw.names);
        let (certificate_key, key_key) = ("status.remote.certificate", "status.remote.key");
        let cure = "name the PEM file of the page's certificate; the page is not served to other machines without TLS";
        let certificate = self.required(certificate_key, raw.certificate.as_ref(), cure);
        let cure = "write { credential = \"page-key\" }: the certificate's private key";
        let key = self.required(key_key, raw.key.as_ref(), cure);
        let key = key.and_then(|key| self.secret(key_key, key));
        if raw.accounts.is_none() && raw.client_ca.is_none() {
            let cure = "write accounts = \"/var/lib/ngatu/accounts\" and make one: edge-agent account add \
                        /var/lib/ngatu/accounts NAME --role admin; or client_ca = \"…\" with roles";
            self.error("status.remote", "lets nobody in: it has neither accounts nor client_ca", cure);
        }
        if raw.client_ca.is_some() == raw.roles.is_empty() && !self.is_reported("status.remote.roles") {
            let cure = "give both: the authorities that sign, and who is what, such as roles = { prometheus = \"integrator\" }";
            self.error("status.remote", "has only one of client_ca and roles", cure);
        }
        let roles: BTreeMap<String, Role> =
            raw.roles.iter().filter_map(|(name, role)| self.page_role(name, role)).collect();
        let site_dir = self.site_dir().to_owned();
        Some(Remote {
            names,
            certificate: site_dir.join(certificate?),
            key: key?,
            accounts: raw.accounts.as_ref().map(|file| site_dir.join(file)),
            client_ca: raw.client_ca.as_ref().map(|file| site_dir.join(file)),
            roles,
        })
    }

    fn page_names(&mut self, raw: &[String]) -> Vec<String> {
        let key = "status.remote.names";
        if raw.is_empty() {
            self.missing(
                key,
                "write the host names and addresses by which people open the page: it answers to no other",
            );
        }
        let mut names = Vec::new();
        for text in raw {
            match page_name(text) {
                Some(name) => names.push(name),
                None => {
                    let cure =
                        "write it as it stands in the address bar, without https://, port or path: \"box-a.example\"";
                    self.error(key, format!("\"{text}\" is no host name or address"), cure);
                }
            }
        }
        names
    }

    fn page_role(&mut self, name: &str, role: &str) -> Option<(String, Role)> {
        let known = Role::from_label(role);
        if known.is_none() {
            let labels = Role::ALL.map(Role::label);
            let cure = match nearest(role, labels.into_iter()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("choose one of: {}", labels.join(", ")),
            };
            self.error("status.remote.roles", format!("there is no role \"{role}\""), cure);
        }
        known.map(|role| (name.to_owned(), role))
    }
}

/// As browsers write it in `Host`.
fn page_name(text: &str) -> Option<String> {
    match text.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => return Some(format!("[{address}]")),
        Ok(IpAddr::V4(address)) => return Some(address.to_string()),
        Err(_) => {}
    }
    let label = |label: &str| {
        let letters = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        (1..=63).contains(&label.len()) && letters
    };
    (text.len() <= 253 && text.split('.').all(label)).then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_browsers_write_them() {
        for (text, name) in [
            ("Box-A.Example", Some("box-a.example")),
            ("192.0.2.20", Some("192.0.2.20")),
            ("2001:DB8::1", Some("[2001:db8::1]")),
            ("[2001:db8::1]", Some("[2001:db8::1]")),
            ("https://box", None),
            ("box:8443", None),
            ("*.example", None),
            ("hộp.example", None),
            ("", None),
            ("a..b", None),
        ] {
            assert_eq!(page_name(text).as_deref(), name, "{text}");
        }
    }
}
