//! What the program asks of the system's libraries: without the feature `net` it has no function that makes a socket,
//! connects one or looks up a name.

#![cfg(target_os = "linux")]
#![expect(
    clippy::disallowed_methods,
    reason = "a test looks at a program with `nm`"
)]

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::process::Command;

/// Every function of the C library that has to do with sockets and names of machines, by the beginning of its name.
const OF_THE_NETWORK: &[&str] = &[
    "accept",
    "bind",
    "connect",
    "getaddrinfo",
    "gethost",
    "getnameinfo",
    "getpeername",
    "getserv",
    "getsockname",
    "getsockopt",
    "if_nameto",
    "if_indexto",
    "listen",
    "recv",
    "res_",
    "send",
    "setsockopt",
    "shutdown",
    "socket",
];

/// Those that the program may import all the same: they need a socket that is there, and `socketpair` makes two ends
/// of one pipe, by which signals are told to the runtime. `sendfile` copies files.
const HARMLESS: &[&str] = &[
    "getpeername",
    "getsockname",
    "recv",
    "recvfrom",
    "recvmsg",
    "send",
    "sendfile",
    "sendfile64",
    "sendmsg",
    "sendto",
    "shutdown",
    "socketpair",
];

/// Lists what a program imports, by name and without versions.
fn imports(program: &OsStr) -> BTreeSet<String> {
    let output = Command::new("nm")
        .args(["--dynamic", "--undefined-only"])
        .arg(program)
        .output()
        .expect("nm comes with the linker");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("names are text");
    text.lines()
        .filter_map(|line| line.split_whitespace().last())
        .map(|name| name.split('@').next().unwrap_or(name).to_owned())
        .collect()
}

fn of_the_network(program: &OsStr) -> BTreeSet<String> {
    let mut found = imports(program);
    found.retain(|name| OF_THE_NETWORK.iter().any(|start| name.starts_with(start)));
    found
}

/// The libraries that are loaded with a program.
fn libraries(program: &OsStr) -> BTreeSet<String> {
    let output = Command::new("objdump")
        .arg("--private-headers")
        .arg(program)
        .output()
        .expect("objdump comes with the linker");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("NEEDED"))
        .map(|name| {
            name.trim()
                .split(".so")
                .next()
                .unwrap_or_default()
                .to_owned()
        })
        .collect()
}

#[test]
fn without_net_the_program_cannot_ask_for_a_socket_a_connection_or_a_name() {
    let Some(offline) = std::env::var_os("WALDEN_TEST_OFFLINE") else {
        panic!(
            "`WALDEN_TEST_OFFLINE` names no walden without `net`: run `make test`, which builds it"
        )
    };
    let found = of_the_network(&offline);
    let harmless: BTreeSet<String> = HARMLESS.iter().map(|name| (*name).to_owned()).collect();
    let more: Vec<&String> = found.difference(&harmless).collect();
    assert!(more.is_empty(), "imported without `net`: {more:?}");
    // The list is looked up in the right program, and not in an empty one.
    assert!(found.contains("socketpair"), "{found:?}");
    let known = [
        "libgomp",
        "libstdc++",
        "libz",
        "libgcc_s",
        "libm",
        "libc",
        "ld-linux-x86-64",
        "ld-linux-aarch64",
    ];
    let libraries = libraries(&offline);
    assert!(libraries.contains("libc"), "{libraries:?}");
    for library in &libraries {
        assert!(
            known.contains(&library.as_str()),
            "it loads {library}: look at what that imports"
        );
    }
}

#[cfg(feature = "net")]
#[test]
fn with_net_the_same_look_finds_all_three() {
    let found = of_the_network(OsStr::new(env!("CARGO_BIN_EXE_walden")));
    for name in ["socket", "connect", "getaddrinfo"] {
        assert!(found.contains(name), "{found:?}");
    }
}
