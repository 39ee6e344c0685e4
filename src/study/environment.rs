//! Where a study runs: what the report says about the machine.

use std::fs;
use std::path::Path;

use super::event::{DataRecord, Environment};

/// The version of blocksmith and of what it computes with, as journals have it.
pub fn version() -> String {
    format!("{} ({})", env!("CARGO_PKG_VERSION"), crate::engine::BUILT_ON)
}

/// This machine and this command, for the journal.
pub fn detect(jobs: usize, threads_per_job: usize, data: DataRecord) -> Environment {
    Environment {
        version: version(),
        command: command_line(std::env::args_os().map(|a| a.to_string_lossy().into_owned())),
        os: os(),
        cpu: cpu(),
        cores: cores(),
        jobs,
        threads_per_job,
        data,
    }
}

/// Cores this process may use; 1 where the system does not say.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The command as one would type it: the program by its name alone, arguments quoted for a shell where they need it.
fn command_line(mut args: impl Iterator<Item = String>) -> String {
    let program = args.next().unwrap_or_default();
    let program = Path::new(&program)
        .file_stem()
        .map_or_else(|| "blocksmith".into(), |name| name.to_string_lossy().into_owned());
    args.fold(program, |line, arg| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
        if !arg.is_empty() && arg.chars().all(plain) {
            format!("{line} {arg}")
        } else {
            format!("{line} '{}'", arg.replace('\'', r"'\''"))
        }
    })
}

/// The model's name as Linux tells it (x86 has `model name`), else the architecture.
pub fn cpu() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    cpu_model(&info).unwrap_or_else(|| std::env::consts::ARCH.into())
}

fn cpu_model(cpuinfo: &str) -> Option<String> {
    let value = |key: &str| {
        cpuinfo.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name.trim() == key && !value.trim().is_empty()).then(|| value.trim().to_owned())
        })
    };
    value("model name").or_else(|| value("Model"))
}

/// The distribution and architecture. The kernel's build is left out: it says nothing about the numbers, and journals are
/// made to be shared.
fn os() -> String {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = pretty_name(&release).unwrap_or_else(|| std::env::consts::OS.into());
    format!("{name}, {}", std::env::consts::ARCH)
}

fn pretty_name(os_release: &str) -> Option<String> {
    os_release
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))
        .map(|name| name.trim().trim_matches('"').to_owned())
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(args: &[&str]) -> String {
        command_line(args.iter().map(|a| (*a).to_owned()))
    }

    #[test]
    fn command_is_what_one_would_type() {
        let typed = ["/some/where/blocksmith", "run", "x.yaml", "--set", "train.lr=0.1"];
        assert_eq!(line(&typed), "blocksmith run x.yaml --set train.lr=0.1");
        let spaced = ["blocksmith", "run", "my file.yaml", "it's"];
        assert_eq!(line(&spaced), r"blocksmith run 'my file.yaml' 'it'\''s'");
    }

    #[test]
    fn machine_is_named() {
        // The first lines of /proc/cpuinfo on x86-64, of a Raspberry Pi, and of /etc/os-release on Debian.
        let x86 = "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Intel(R) Xeon(R) CPU @ 2.20GHz\n";
        assert_eq!(cpu_model(x86).as_deref(), Some("Intel(R) Xeon(R) CPU @ 2.20GHz"));
        let pi = "processor\t: 0\nBogoMIPS\t: 108.00\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n";
        assert_eq!(cpu_model(pi).as_deref(), Some("Raspberry Pi 4 Model B Rev 1.4"));
        assert_eq!(cpu_model("processor : 0\n"), None);
        let debian = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\n";
        assert_eq!(pretty_name(debian).as_deref(), Some("Debian GNU/Linux 12 (bookworm)"));
    }
}
