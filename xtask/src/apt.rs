//! Installing distribution packages where that is possible, and saying what to install where it is not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Error, Result, anyhow, bail};

use crate::process::{self, say};

/// Package lists older than this are fetched anew before an installation: a security update removes the
/// version that an old list names.
const LISTS_FRESH_FOR: Duration = Duration::from_hours(24);

/// Whether this process has fetched the lists already; once is enough.
static UPDATED: AtomicBool = AtomicBool::new(false);

/// Why packages cannot be installed here, or how they can.
enum Installer {
    /// `apt-get` directly.
    Root,
    /// `sudo apt-get`.
    Sudo,
    /// Not at all, for this reason.
    Unavailable(&'static str),
}

fn installer() -> Installer {
    if process::find_on_path("apt-get").is_none() {
        Installer::Unavailable("this machine has no apt-get")
    } else if process::is_root() {
        Installer::Root
    } else if process::find_on_path("sudo").is_some() {
        Installer::Sudo
    } else {
        Installer::Unavailable("we are neither root nor is sudo installed")
    }
}

/// Whether `install` could work here.
pub(crate) fn available() -> bool {
    !matches!(installer(), Installer::Unavailable(_))
}

/// Makes sure that a program exists, by installing the package that brings it.
pub(crate) fn ensure_program(program: &str, package: &str, why: &str) -> Result<()> {
    if process::find_on_path(program).is_some() {
        return Ok(());
    }
    install(&[package], why)
}

/// Installs those of the packages that are missing.
pub(crate) fn install(packages: &[&str], why: &str) -> Result<()> {
    let missing: Vec<&str> = packages
        .iter()
        .copied()
        .filter(|package| !is_installed(package))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if let Installer::Unavailable(reason) = installer() {
        bail!(
            "{why} needs the Debian packages `{list}`, and {reason}: install them, or what brings the same \
             programs on your distribution"
        );
    }
    say(format_args!("installing {list} (for {why})"));
    if lists_are_old() {
        update()?;
    }
    let mut outcome = apt_get_install(&missing);
    if outcome.is_err() && !UPDATED.load(Ordering::Relaxed) {
        update()?;
        outcome = apt_get_install(&missing);
    }
    outcome.map_err(|log| could_not_install(&list, why, &log))
}

/// Installs the newest version of all these packages, upgrading those that are there.
pub(crate) fn install_newest(packages: &[&str], why: &str) -> Result<()> {
    let list = packages.join(" ");
    say(format_args!("installing {list} (for {why})"));
    update()?;
    apt_get_install(packages).map_err(|log| could_not_install(&list, why, &log))
}

/// The packages that installing one of these would bring, itself among them; nothing is installed.
pub(crate) fn would_bring(package: &str) -> Result<Vec<String>> {
    let mut simulate = Command::new("apt-get");
    simulate.args(["install", "--simulate", "--no-install-recommends", package]);
    process::forget_cargo(&mut simulate);
    let plan = process::stdout_of(&mut simulate, "asking apt what a package needs")?;
    Ok(planned(&plan))
}

/// Of apt's plan, what it would install or upgrade: `Inst NAME [OLD] (NEW ...)`.
fn planned(plan: &str) -> Vec<String> {
    plan.lines()
        .filter_map(|line| line.strip_prefix("Inst ")?.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

/// Fetches packages and unpacks them into a new directory, without installing anything. Another process may do the same
/// at the same time.
pub(crate) fn unpack(packages: &[String], directory: &Path) -> Result<()> {
    let (Some(parent), Some(name)) = (directory.parent(), directory.file_name()) else {
        bail!("{} is no place to unpack packages", directory.display());
    };
    // Unpacked aside and renamed when complete, so that what is interrupted leaves no half of it.
    let part = parent.join(format!(".part-{}-{}", std::process::id(), name.to_string_lossy()));
    let tree = part.join("tree");
    fs::create_dir_all(&tree).with_context(|| format!("cannot create {}", tree.display()))?;
    let outcome = unpack_aside(packages, &part, &tree, directory);
    fs::remove_dir_all(&part).with_context(|| format!("cannot remove {}", part.display()))?;
    outcome
}

fn unpack_aside(packages: &[String], part: &Path, tree: &Path, directory: &Path) -> Result<()> {
    let mut fetch = Command::new("apt-get");
    // As root, apt would fetch as its own user, who cannot write here, and warn about it.
    fetch
        .args(["-qq", "-o", "APT::Sandbox::User=root", "download"])
        .args(packages)
        .current_dir(part);
    process::forget_cargo(&mut fetch);
    process::stdout_of(&mut fetch, "fetching packages")?;
    let debs: Vec<PathBuf> = fs::read_dir(part)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .collect();
    if debs.len() < packages.len() {
        bail!(
            "apt-get download left {} of {} packages",
            debs.len(),
            packages.len()
        );
    }
    for deb in &debs {
        let mut extract = Command::new("dpkg");
        extract.arg("-x").args([deb, tree]);
        process::stdout_of(&mut extract, "unpacking a package")?;
    }
    if let Err(error) = fs::rename(tree, directory)
        && !directory.is_dir()
    {
        return Err(error)
            .with_context(|| format!("cannot move what was unpacked to {}", directory.display()));
    }
    Ok(())
}

fn could_not_install(list: &str, why: &str, log: &str) -> Error {
    anyhow!(
        "apt-get could not install `{list}` (for {why}); it said:\n{}",
        tail(log, 15)
    )
}

/// Fetches the package lists, once per run of xtask.
pub(crate) fn update() -> Result<()> {
    if UPDATED.swap(true, Ordering::Relaxed) {
        return Ok(());
    }
    say("fetching package lists (apt-get update)");
    let output = process::capture(apt_get()?.arg("update"))?;
    if !output.status.success() {
        let log = String::from_utf8_lossy(&output.stderr);
        bail!(
            "`apt-get update` failed ({}); it said:\n{}",
            output.status,
            tail(&log, 15)
        );
    }
    Ok(())
}

/// What apt printed is the error: it goes to the person only when it matters.
fn apt_get_install(packages: &[&str]) -> Result<(), String> {
    let mut command = apt_get().map_err(|error| error.to_string())?;
    command
        .args(["install", "--yes", "--no-install-recommends", "--no-remove"])
        .args(packages);
    let output = process::capture(&mut command).map_err(|error| format!("{error:#}"))?;
    if output.status.success() {
        return Ok(());
    }
    let mut log = String::from_utf8_lossy(&output.stdout).into_owned();
    log.push_str(&String::from_utf8_lossy(&output.stderr));
    Err(log)
}

fn apt_get() -> Result<Command> {
    let mut command = match installer() {
        Installer::Root => {
            let mut command = Command::new("apt-get");
            command.env("DEBIAN_FRONTEND", "noninteractive");
            command
        }
        Installer::Sudo => {
            // sudo drops the environment, so the variable goes through env(1).
            let mut command = Command::new("sudo");
            command.args(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
            command
        }
        Installer::Unavailable(reason) => bail!("cannot use apt-get: {reason}"),
    };
    // Another apt may be at work, unattended upgrades for one: wait instead of failing.
    command.args(["-qq", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0"]);
    process::forget_cargo(&mut command);
    Ok(command)
}

/// Whether dpkg has the package unpacked and configured.
pub(crate) fn is_installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat=${db:Status-Status}\n", package]);
    process::capture(&mut query).is_ok_and(|output| {
        output.status.success()
            && String::from_utf8_lossy(&output.stdout)
                .lines()
                .any(|status| status == "installed")
    })
}

fn lists_are_old() -> bool {
    let newest = fs::read_dir(Path::new("/var/lib/apt/lists"))
        .ok()
        .and_then(|entries| {
            entries
                .filter_map(Result::ok)
                .filter(|entry| entry.file_name().to_string_lossy().ends_with("Release"))
                .filter_map(|entry| entry.metadata().ok()?.modified().ok())
                .max()
        });
    // apt keeps the server's time stamp on a list, so for a distribution that rarely changes this fetches the
    // lists once too often; that costs a second.
    newest.is_none_or(|newest| {
        SystemTime::now()
            .duration_since(newest)
            .is_ok_and(|age| age > LISTS_FRESH_FOR)
    })
}

fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::planned;

    #[test]
    fn a_plan_names_what_is_installed_and_upgraded_only() {
        let plan = "The following packages will be REMOVED:\n  qemu-utils\nRemv qemu-utils [1:10.0.2]\n\
                    Inst seabios (1.16 Debian:12 [all])\nInst libgbm1 [22.3.6-1] (22.3.6-2 Debian:12 [amd64])\n\
                    Conf seabios (1.16 Debian:12 [all])\n";
        assert_eq!(planned(plan), ["seabios", "libgbm1"]);
    }
}
