//! How hot the box is: the kernel's thermal zones (Documentation/driver-api/thermal/sysfs-api.rst).

use std::fs;
use std::path::{Path, PathBuf};

/// Readings outside these are no temperatures of a processor: sensors that are not connected tell such.
const PLAUSIBLE_C: std::ops::RangeInclusive<f64> = -40.0..=150.0;

/// A zone of Jetson boxes that always tells 100 °C, or 50 °C.
const NO_SENSOR: &str = "PMIC-Die";

/// The zones below a folder.
#[derive(Debug, Clone)]
pub struct ThermalZones {
    root: PathBuf,
    types: Vec<String>,
}

impl ThermalZones {
    /// Where the kernel shows them.
    pub const ROOT: &str = "/sys/class/thermal";

    /// The zones below `root` whose type is one of `types`; empty: all.
    #[must_use]
    pub fn new(root: &Path, types: Vec<String>) -> Self {
        Self { root: root.to_owned(), types }
    }

    /// The hottest, in °C; `None`: there is none, or none that can be read. Zones that come and go are no error.
    #[must_use]
    pub fn hottest(&self) -> Option<f64> {
        let entries = fs::read_dir(&self.root).ok()?;
        let zones = entries.filter_map(Result::ok).map(|entry| entry.path());
        zones.filter_map(|zone| self.read(&zone)).max_by(f64::total_cmp)
    }

    fn read(&self, zone: &Path) -> Option<f64> {
        if !zone.file_name()?.to_str()?.starts_with("thermal_zone") {
            return None;
        }
        let kind = fs::read_to_string(zone.join("type")).unwrap_or_default();
        let kind = kind.trim();
        let counts = if self.types.is_empty() { kind != NO_SENSOR } else { self.types.iter().any(|of| of == kind) };
        if !counts {
            return None;
        }
        let millis: f64 = fs::read_to_string(zone.join("temp")).ok()?.trim().parse().ok()?;
        Some(millis / 1000.0).filter(|celsius| PLAUSIBLE_C.contains(celsius))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(root: &Path, name: &str, kind: &str, temp: &str) {
        fs::create_dir(root.join(name)).expect("a folder");
        fs::write(root.join(name).join("type"), kind).expect("writes");
        fs::write(root.join(name).join("temp"), temp).expect("writes");
    }

    #[test]
    fn the_hottest_zone_that_tells_a_temperature_counts() {
        let root = tempfile::tempdir().expect("a folder");
        zone(root.path(), "thermal_zone0", "x86_pkg_temp\n", "71500\n");
        zone(root.path(), "thermal_zone1", "acpitz\n", "27800\n");
        zone(root.path(), "thermal_zone2", "PMIC-Die\n", "100000\n");
        zone(root.path(), "thermal_zone3", "iwlwifi_1\n", "-274000\n");
        zone(root.path(), "thermal_zone4", "broken\n", "no number\n");
        zone(root.path(), "cooling_device0", "fan\n", "99000\n");
        assert_eq!(ThermalZones::new(root.path(), Vec::new()).hottest(), Some(71.5));
        assert_eq!(ThermalZones::new(root.path(), vec!["acpitz".to_owned()]).hottest(), Some(27.8));
        assert_eq!(ThermalZones::new(root.path(), vec!["PMIC-Die".to_owned()]).hottest(), Some(100.0));
        assert_eq!(ThermalZones::new(&root.path().join("none"), Vec::new()).hottest(), None);
    }
}
