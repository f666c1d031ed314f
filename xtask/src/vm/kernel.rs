//! Distribution kernels: fetched as packages, unpacked, never installed.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

use crate::process::{self, say};
use crate::{apt, paths};

/// The kernel series that tests run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Series {
    /// Debian 12's own kernel.
    #[value(name = "6.1")]
    V6_1,
    /// The newer long-term kernel that Debian 12 offers beside it.
    #[value(name = "6.12")]
    V6_12,
}

impl Series {
    /// All series, in the order in which tests use them.
    pub(crate) const ALL: [Self; 2] = [Self::V6_1, Self::V6_12];

    fn version(self) -> &'static str {
        match self {
            Self::V6_1 => "6.1",
            Self::V6_12 => "6.12",
        }
    }

    /// Packages that depend on the newest image of this series: which one does differs between releases.
    fn metapackages(self) -> &'static [&'static str] {
        match self {
            Self::V6_1 => &["linux-image-amd64"],
            Self::V6_12 => &["linux-image-6.12-amd64", "linux-image-amd64"],
        }
    }

    fn is_image(self, package: &str) -> bool {
        package
            .strip_prefix("linux-image-")
            .and_then(|rest| rest.strip_prefix(self.version()))
            .is_some_and(|rest| rest.starts_with('.') && rest.ends_with("-amd64"))
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.version())
    }
}

/// An unpacked kernel.
#[derive(Debug)]
pub(crate) struct Kernel {
    /// The package's name without `linux-image-`, which is what `uname -r` prints.
    pub(crate) release: String,
    /// The bootable image.
    pub(crate) image: PathBuf,
    /// The directory with its modules.
    pub(crate) modules: PathBuf,
}

/// The kernel of this series, from the cache or from the distribution.
pub(crate) fn fetch(series: Series) -> Result<Kernel> {
    let cache = paths::target().join("vm/kernels");
    fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
    if let Some(kernel) = cached(series, &cache)? {
        return Ok(kernel);
    }
    let tools = ["apt-cache", "apt-get", "dpkg"];
    if let Some(missing) = tools.iter().find(|tool| process::find_on_path(tool).is_none()) {
        bail!(
            "kernel {series} is fetched as a Debian package, which needs {missing}; without it, unpack a \
             linux-image-{series}.*-amd64 package under {}/RELEASE/ yourself",
            cache.display()
        );
    }
    let first = resolve(series).and_then(|package| download(&package, &cache));
    if let Err(error) = first {
        // Either there are no package lists yet, or they name a version that an update has replaced.
        if !apt::available() {
            return Err(error);
        }
        apt::update()?;
        download(&resolve(series)?, &cache)?;
    }
    cached(series, &cache)?.with_context(|| format!("the package of kernel {series} holds no bootable image"))
}

fn cached(series: Series, cache: &Path) -> Result<Option<Kernel>> {
    for entry in fs::read_dir(cache).with_context(|| format!("cannot read {}", cache.display()))? {
        let entry = entry?;
        let release = entry.file_name().to_string_lossy().into_owned();
        if !series.is_image(&format!("linux-image-{release}")) {
            continue;
        }
        let tree = entry.path();
        let image = tree.join(format!("boot/vmlinuz-{release}"));
        let modules = ["lib/modules", "usr/lib/modules"]
            .map(|directory| tree.join(directory).join(&release))
            .into_iter()
            .find(|directory| directory.is_dir());
        if let (true, Some(modules)) = (image.is_file(), modules) {
            return Ok(Some(Kernel {
                release,
                image,
                modules,
            }));
        }
    }
    Ok(None)
}

/// The image package that the series' metapackage depends on now.
fn resolve(series: Series) -> Result<String> {
    for metapackage in series.metapackages() {
        let mut query = Command::new("apt-cache");
        query.args(["depends", "--important", metapackage]);
        let output = process::capture(&mut query)?;
        let text = String::from_utf8_lossy(&output.stdout);
        let image = text.split_whitespace().find(|word| series.is_image(word));
        if let Some(image) = image {
            return Ok(image.to_owned());
        }
    }
    bail!(
        "apt knows no kernel {series} (looked at {}): add Debian 12's package sources, security updates included",
        series.metapackages().join(", ")
    )
}

fn download(package: &str, cache: &Path) -> Result<()> {
    say(format_args!(
        "fetching kernel package {package} (about 70 to 110 MB)"
    ));
    let release = package.trim_start_matches("linux-image-");
    apt::unpack(&[package.to_owned()], &cache.join(release))
}

/// A kernel module, decompressed.
pub(crate) struct Module {
    /// Its name, with underscores.
    pub(crate) name: String,
    /// The object to load.
    pub(crate) image: Vec<u8>,
}

impl Kernel {
    /// These modules and what they depend on, in loading order. What the kernel has built in, or does not know
    /// at all, is left out: the guest's `insmod` is not where a missing feature should show.
    pub(crate) fn modules(&self, wanted: &[String]) -> Result<Vec<Module>> {
        let mut files = HashMap::new();
        index(&self.modules, &mut files)?;
        let mut loaded = Vec::new();
        for name in wanted {
            add_module(&normal(name), &files, &mut loaded)?;
        }
        Ok(loaded)
    }
}

fn add_module(name: &str, files: &HashMap<String, PathBuf>, loaded: &mut Vec<Module>) -> Result<()> {
    let Some(path) = files.get(name) else {
        return Ok(());
    };
    if loaded.iter().any(|module| module.name == name) {
        return Ok(());
    }
    let image = decompress(path)?;
    for dependency in dependencies(&image) {
        add_module(&dependency, files, loaded)?;
    }
    loaded.push(Module {
        name: name.to_owned(),
        image,
    });
    Ok(())
}

fn index(directory: &Path, files: &mut HashMap<String, PathBuf>) -> Result<()> {
    for entry in fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            index(&entry.path(), files)?;
        } else if let Some((stem, _)) = name.split_once(".ko") {
            files.insert(normal(stem), entry.path());
        }
    }
    Ok(())
}

/// Module names are written with `-` or `_`; the kernel takes both for the same.
fn normal(name: &str) -> String {
    name.replace('-', "_")
}

fn decompress(path: &Path) -> Result<Vec<u8>> {
    let (program, package) = match path.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => ("xz", "xz-utils"),
        Some("zst") => ("zstd", "zstd"),
        Some("gz") => ("gzip", "gzip"),
        _ => return fs::read(path).with_context(|| format!("cannot read {}", path.display())),
    };
    apt::ensure_program(program, package, "unpacking kernel modules")?;
    let output = process::capture(Command::new(program).arg("-dc").arg(path))?;
    if !output.status.success() {
        bail!("{program} cannot unpack {}", path.display());
    }
    Ok(output.stdout)
}

/// The `depends=a,b` entry of a module's information section.
fn dependencies(image: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(at) = image.windows(KEY.len()).position(|window| window == KEY) else {
        return Vec::new();
    };
    let value = &image[at + KEY.len()..];
    let value = &value[..value.iter().position(|byte| *byte == 0).unwrap_or(value.len())];
    let value = String::from_utf8_lossy(value);
    value
        .split(',')
        .filter(|name| !name.is_empty())
        .map(normal)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_takes_only_its_own_images() {
        assert!(Series::V6_1.is_image("linux-image-6.1.0-56-amd64"));
        assert!(Series::V6_12.is_image("linux-image-6.12.117+deb12-amd64"));
        assert!(!Series::V6_1.is_image("linux-image-6.12.117+deb12-amd64"));
        assert!(!Series::V6_1.is_image("linux-image-amd64"));
        assert!(!Series::V6_1.is_image("linux-image-6.1.0-56-amd64-dbg"));
    }

    #[test]
    fn dependencies_are_read_from_the_information_section() {
        let image = b"\x7fELF...\0license=GPL\0depends=inet-diag,nf_tables\0name=tcp_diag\0";
        assert_eq!(dependencies(image), ["inet_diag", "nf_tables"]);
        assert!(dependencies(b"..\0depends=\0name=x\0").is_empty());
        assert!(dependencies(b"no section at all").is_empty());
    }
}
