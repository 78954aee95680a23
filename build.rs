//! Compiles the sandbox's small helper, which the crate carries: a program without a library, for the machine that
//! walden is built for. Where that cannot be done, walden is its own helper, which takes longer to start.

#![expect(
    clippy::disallowed_methods,
    reason = "a build starts the compiler and writes its output"
)]

use std::path::Path;
use std::process::Command;

/// The source, and the machines that it is written for.
const SOURCE: &str = "src/sandbox/helper/program.rs";
const MACHINES: [&str; 2] = ["x86_64", "aarch64"];

fn main() {
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-changed=build.rs");
    let var = |name: &str| std::env::var(name).unwrap_or_default();
    let out = Path::new(&var("OUT_DIR")).join("helper");
    let is_known = var("CARGO_CFG_TARGET_OS") == "linux"
        && MACHINES.contains(&var("CARGO_CFG_TARGET_ARCH").as_str());
    if is_known {
        let mut compiler = Command::new(var("RUSTC"));
        compiler
            .args(["--edition=2024", "--crate-name=helper", "--crate-type=bin"])
            .args(["--target", &var("TARGET"), "-Copt-level=s", "-Cpanic=abort"])
            .args(["-Crelocation-model=static", "-Ctarget-feature=+crt-static"])
            .args([
                "-Cstrip=symbols",
                "-Clink-arg=-nostartfiles",
                "-Clink-arg=-nostdlib",
            ])
            .args([
                "-Clink-arg=-Wl,--build-id=none",
                "-Clink-arg=-Wl,-z,noexecstack",
            ])
            .arg("-o")
            .arg(&out)
            .arg(SOURCE);
        if let Ok(linker) = std::env::var("RUSTC_LINKER") {
            compiler.arg(format!("-Clinker={linker}"));
        }
        match compiler.output() {
            Ok(built) if built.status.success() => return,
            Ok(built) => println!(
                "cargo::warning=the sandbox's small helper was not built, walden is its own: {}",
                String::from_utf8_lossy(&built.stderr)
                    .lines()
                    .next()
                    .unwrap_or_default()
            ),
            Err(error) => println!(
                "cargo::warning=the sandbox's small helper was not built, walden is its own: {error}"
            ),
        }
    }
    // None: an empty file.
    if let Err(error) = std::fs::write(&out, "") {
        println!("cargo::error=cannot write {}: {error}", out.display());
    }
}
