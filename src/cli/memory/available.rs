//! Memory that this process may still take, as Linux tells it: the machine's, and that of every control group it is in.

use std::fs;
use std::path::Path;

/// Bytes available now, of the system whose root folder is `root`; `None` where it does not tell (systems other than Linux).
/// File cache that the system gives up on request counts as available; swap does not count.
pub fn bytes(root: &Path) -> Option<u64> {
    let machine = table(&root.join("proc/meminfo"), "MemAvailable:").map(|kib| kib * 1024);
    machine.into_iter().chain(groups(root)).chain(own(root)).min()
}

/// What is left of the process's own limit (`ulimit -v`), where it has one.
fn own(root: &Path) -> Option<u64> {
    let limits = fs::read_to_string(root.join("proc/self/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    let limit: u64 = line.split_whitespace().next()?.parse().ok()?;
    let used = table(&root.join("proc/self/status"), "VmSize:")? * 1024;
    Some(limit.saturating_sub(used))
}

/// The files of a control group that matter, by version of the interface.
struct Files {
    mount: &'static str,
    limit: &'static str,
    used: &'static str,
    /// File cache not lately read, in `memory.stat`.
    cache: &'static str,
}

const V1: Files = Files {
    mount: "sys/fs/cgroup/memory",
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    cache: "total_inactive_file",
};
const V2: Files =
    Files { mount: "sys/fs/cgroup", limit: "memory.max", used: "memory.current", cache: "inactive_file" };

/// What is left to each control group of this process that has a limit: its own group and those around it. In a container
/// the group's path may be the host's, which is not there; the mount's root is then the container's own group.
fn groups(root: &Path) -> Vec<u64> {
    let list = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let mut left = Vec::new();
    for line in list.lines() {
        // `4:memory:/path` is version 1, `0::/path` version 2.
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let files = match controllers {
            "" => V2,
            some if some.split(',').any(|name| name == "memory") => V1,
            _ => continue,
        };
        for group in Path::new(path.trim_start_matches('/')).ancestors() {
            left.extend(left_to(&root.join(files.mount).join(group), &files));
        }
    }
    left
}

fn left_to(group: &Path, files: &Files) -> Option<u64> {
    // `max` where there is no limit.
    let limit = number(&group.join(files.limit))?;
    let used = number(&group.join(files.used))?;
    let cache = table(&group.join("memory.stat"), files.cache).unwrap_or(0);
    Some(limit.saturating_sub(used.saturating_sub(cache)))
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// The number after `key` in a file of such lines.
fn table(file: &Path, key: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let mut words = text.lines().map(str::split_whitespace);
    words.find_map(|mut words| if words.next()? == key { words.next()?.parse().ok() } else { None })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// A system's files, by path.
    fn system(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal: 8388608 kB\nMemAvailable:    4194304 kB\n");

    #[test]
    fn a_machine_without_control_groups() {
        assert_eq!(bytes(system(&[MEMINFO]).path()), Some(4096 * MIB));
        assert_eq!(bytes(system(&[]).path()), None, "a system that does not tell");
    }

    /// The group has no limit, the one around it has, and a third of its use is cache.
    #[test]
    fn a_limit_of_a_group_further_up_counts() {
        let root = system(&[
            MEMINFO,
            ("proc/self/cgroup", "0::/user.slice/job\n"),
            ("sys/fs/cgroup/user.slice/job/memory.max", "max\n"),
            ("sys/fs/cgroup/user.slice/job/memory.current", "1\n"),
            ("sys/fs/cgroup/user.slice/memory.max", "1073741824\n"),
            ("sys/fs/cgroup/user.slice/memory.current", "314572800\n"),
            (
                "sys/fs/cgroup/user.slice/memory.stat",
                "anon 209715200\nfile 104857600\ninactive_file 104857600\n",
            ),
        ]);
        assert_eq!(bytes(root.path()), Some(1024 * MIB - 300 * MIB + 100 * MIB));
    }

    #[test]
    fn a_container_sees_its_own_group_at_the_mount() {
        let v2 = system(&[
            MEMINFO,
            ("proc/self/cgroup", "0::/docker/4f\n"),
            ("sys/fs/cgroup/memory.max", "536870912\n"),
            ("sys/fs/cgroup/memory.current", "104857600\n"),
        ]);
        assert_eq!(bytes(v2.path()), Some(412 * MIB));
        let v1 = system(&[
            MEMINFO,
            ("proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory:/docker/4f\n0::/\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "536870912\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "104857600\n"),
            ("sys/fs/cgroup/memory/memory.stat", "inactive_file 7\ntotal_inactive_file 52428800\n"),
        ]);
        assert_eq!(bytes(v1.path()), Some(462 * MIB));
    }

    /// The line as `ulimit -v 1048576; cat /proc/self/limits` prints it.
    #[test]
    fn a_limit_of_the_process_counts() {
        let limits = |soft: &str| {
            format!(
                "Limit  Soft Limit  Hard Limit  Units\nMax address space         {soft}           unlimited            bytes     \n"
            )
        };
        let left = |soft: &str| {
            let (limits, status) = (limits(soft), "VmPeak:\t  20000 kB\nVmSize:\t  10240 kB\n");
            bytes(
                system(&[MEMINFO, ("proc/self/limits", limits.as_str()), ("proc/self/status", status)])
                    .path(),
            )
        };
        assert_eq!(left("1073741824"), Some(1024 * MIB - 10 * MIB));
        assert_eq!(left("unlimited"), Some(4096 * MIB));
    }

    /// What version 1 has for no limit is more than any machine; a group beyond its limit has nothing left.
    #[test]
    fn no_limit_and_nothing_left() {
        let group = |limit: &'static str| {
            system(&[
                MEMINFO,
                ("proc/self/cgroup", "4:memory:/\n"),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", limit),
                ("sys/fs/cgroup/memory/memory.usage_in_bytes", "104857600\n"),
            ])
        };
        assert_eq!(bytes(group("9223372036854771712\n").path()), Some(4096 * MIB));
        assert_eq!(bytes(group("4096\n").path()), Some(0));
    }
}
