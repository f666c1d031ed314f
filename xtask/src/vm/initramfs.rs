//! What the guest consists of: busybox, the first process, kernel modules, `ss` as a witness, `ip` to join network
//! namespaces, and the files a test asks for, each program with the shared libraries it needs.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::Vm;
use super::cpio::Archive;
use super::kernel::Kernel;
use crate::{apt, process};

/// Modules that every guest loads where the kernel has not built them in: without the first two `ss` sees nothing, and
/// the third is the cable between two network namespaces.
const MODULES: [&str; 3] = ["inet_diag", "tcp_diag", "veth"];

/// Mount points and places that programs expect.
const DIRECTORIES: [&str; 8] = ["/bin", "/dev", "/proc", "/sys", "/tmp", "/run", "/root", "/sbin"];

const FILES: [(&str, &str); 3] = [
    (
        "/etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    ),
    ("/etc/group", "root:x:0:\nnogroup:x:65534:\n"),
    ("/etc/hosts", "127.0.0.1 localhost guest\n::1 localhost\n"),
];

/// Writes the guest's root file system.
pub(crate) fn write(path: &Path, vm: &Vm, kernel: &Kernel, marker: &str) -> Result<()> {
    let context = || format!("cannot write {}", path.display());
    let file = File::create(path).with_context(context)?;
    let mut archive = Archive::new(BufWriter::new(file));
    fill(&mut archive, vm, kernel, marker).with_context(context)?;
    archive.finish().with_context(context)?;
    Ok(())
}

fn fill<W: Write>(archive: &mut Archive<W>, vm: &Vm, kernel: &Kernel, marker: &str) -> Result<()> {
    for directory in DIRECTORIES {
        archive.directory(directory)?;
    }
    for (name, content) in FILES {
        archive.file(name, 0o644, content.as_bytes())?;
    }
    archive.file("/init", 0o755, include_bytes!("init.sh"))?;
    archive.file("/vm/marker", 0o644, marker.as_bytes())?;
    add_file(archive, &busybox()?, "/bin/busybox")?;

    let mut wanted: Vec<String> = MODULES.map(str::to_owned).to_vec();
    wanted.extend(vm.modules.iter().cloned());
    let mut order = String::new();
    for module in kernel.modules(&wanted)? {
        let name = format!("{}.ko", module.name);
        archive.file(&format!("/vm/modules/{name}"), 0o644, &module.image)?;
        order.push_str(&name);
        order.push('\n');
    }
    archive.file("/vm/modules/order", 0o644, order.as_bytes())?;

    for file in &vm.files {
        add(archive, &file.host, &file.guest)?;
    }
    // After the test's own files, which win.
    let mut command = vm.command.clone();
    if let Some(program) = command.first_mut() {
        *program = add_command(archive, program, vm)?;
    }
    add_iproute(archive)?;
    archive.file("/vm/command", 0o755, script(&vm.env, &command).as_bytes())?;
    Ok(())
}

/// Any busybox will do: a dynamically linked one brings its libraries.
fn busybox() -> Result<PathBuf> {
    apt::ensure_program("busybox", "busybox-static", "the guest's user space")?;
    process::find_on_path("busybox").context("busybox is not on PATH: install it")
}

/// busybox has an `ip`, too, which knows no pairs of devices; this one comes first on the guest's PATH.
fn add_iproute<W: Write>(archive: &mut Archive<W>) -> Result<()> {
    for (program, guest) in [("ss", "/usr/bin/ss"), ("ip", "/usr/sbin/ip")] {
        apt::ensure_program(program, "iproute2", "sockets and network namespaces of the guest")?;
        let path =
            process::find_on_path(program).with_context(|| format!("{program} (iproute2) is not on PATH"))?;
        add_file(archive, &path, guest)?;
    }
    Ok(())
}

/// A command given as a path on the host is taken along; a bare name is looked up in the guest.
fn add_command<W: Write>(archive: &mut Archive<W>, program: &str, vm: &Vm) -> Result<String> {
    let path = Path::new(program);
    let is_guest_path = vm.files.iter().any(|file| program.starts_with(&file.guest));
    if !program.contains('/') || is_guest_path || !path.is_file() {
        return Ok(program.to_owned());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let guest = format!("/usr/local/bin/{name}");
    add_file(archive, path, &guest)?;
    Ok(guest)
}

fn add<W: Write>(archive: &mut Archive<W>, host: &Path, guest: &str) -> Result<()> {
    if !host.is_dir() {
        return add_file(archive, host, guest);
    }
    archive.directory(guest)?;
    for entry in fs::read_dir(host).with_context(|| format!("cannot read {}", host.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        add(archive, &path, &format!("{guest}/{name}"))?;
    }
    Ok(())
}

fn add_file<W: Write>(archive: &mut Archive<W>, host: &Path, guest: &str) -> Result<()> {
    let content = read(host)?;
    let metadata = fs::metadata(host).with_context(|| format!("cannot read {}", host.display()))?;
    let is_program = content.starts_with(b"\x7fELF");
    archive.file(guest, metadata.permissions().mode() & 0o7777, &content)?;
    if is_program {
        for library in libraries(host)? {
            archive.file(&library, 0o755, &read(Path::new(&library))?)?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// What a program needs at run time, as ldd(1) resolves it here.
fn libraries(program: &Path) -> Result<Vec<String>> {
    let output = process::capture(Command::new("ldd").arg(program))?;
    // ldd fails on a static program, which is fine.
    let text = String::from_utf8_lossy(&output.stdout);
    if let Some(line) = text.lines().find(|line| line.contains("not found")) {
        bail!("{} cannot run even here: {}", program.display(), line.trim());
    }
    Ok(parse_ldd(&text))
}

fn parse_ldd(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| {
            // `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x...)` or `/lib64/ld-linux-x86-64.so.2 (0x...)`
            let path = line
                .split_once("=>")
                .map_or(line, |(_, path)| path)
                .split_whitespace()
                .next()?;
            path.starts_with('/').then(|| path.to_owned())
        })
        .collect()
}

/// The command as a shell script: every word is quoted, nothing is interpreted twice.
fn script(env: &[(String, String)], command: &[String]) -> String {
    let mut lines: Vec<String> = env
        .iter()
        .map(|(name, value)| format!("export {name}={}\n", quote(value)))
        .collect();
    let words: Vec<String> = command.iter().map(|word| quote(word)).collect();
    lines.push(format!("exec {}\n", words.join(" ")));
    lines.concat()
}

fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_the_shell() {
        let env = [("A".to_owned(), "it's $HOME".to_owned())];
        let command = ["echo".to_owned(), "a b".to_owned(), String::new(), "*".to_owned()];
        assert_eq!(
            script(&env, &command),
            "export A='it'\\''s $HOME'\nexec 'echo' 'a b' '' '*'\n"
        );
    }

    #[test]
    fn ldd_output_is_understood() {
        let text = "\tlinux-vdso.so.1 (0x00007ffc)\n\
                    \tlibelf.so.1 => /lib/x86_64-linux-gnu/libelf.so.1 (0x00007f6d)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f6e)\n";
        assert_eq!(
            parse_ldd(text),
            ["/lib/x86_64-linux-gnu/libelf.so.1", "/lib64/ld-linux-x86-64.so.2"]
        );
        assert!(parse_ldd("\tstatically linked\n").is_empty());
    }
}
