//! A network of its own, with counters: a whole session sends no packet, and whoever sends one is counted.

#![expect(
    clippy::disallowed_methods,
    reason = "a test lays a repository and starts walden"
)]

use std::fs;
use std::path::Path;
use std::process::Command;

const WALDEN: &str = env!("CARGO_BIN_EXE_walden");

/// Sends a datagram to a machine that is not there, asks for a name, and knocks at a port of this machine.
const SENDER: &str = "\
import socket
def attempt(what):
    try:
        what()
    except OSError as error:
        print(type(error).__name__)
attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53)))
attempt(lambda: socket.getaddrinfo('walden.example', 443))
attempt(lambda: socket.create_connection(('127.0.0.1', 9), 1))
raise SystemExit(1)
";

/// Makes a network with a way out, and prints its counters: before, after a session, after the control.
const SCRIPT: &str = r#"
set -eu
PATH=$PATH:/usr/sbin:/sbin
ip link set lo up
ip link add out0 type veth peer name out1
ip address add 10.9.9.1/24 dev out0
ip link set out0 up
ip link set out1 up
ip route add default via 10.9.9.2
# What the kernel itself says when a link comes up is waited for.
before=; now=$(cat /proc/net/dev)
while [ "$before" != "$now" ]; do sleep 1; before=$now; now=$(cat /proc/net/dev); done
count() { echo "$1"; awk 'NR > 2 { print $1, $3, $11 }' /proc/net/dev; }
count before
"$@" || true
count session
(cd "$REPOSITORY" && python3 send.py) >/dev/null || true
count control
"#;

/// The packets that every interface took in and gave out.
fn packets(said: &str, mark: &str) -> u64 {
    said.lines()
        .skip_while(|line| *line != mark)
        .skip(1)
        .take_while(|line| line.contains(':'))
        .flat_map(|line| line.split_whitespace().skip(1))
        .filter_map(|number| number.parse::<u64>().ok())
        .sum()
}

#[test]
fn a_whole_session_sends_no_packet_and_its_control_does() {
    let Some(model) = std::env::var_os("WALDEN_TEST_SMALL_MODEL") else {
        panic!("`WALDEN_TEST_SMALL_MODEL` names no model file: run `make test`, which sets it")
    };
    let can = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "true"])
        .status();
    if !can.is_ok_and(|status| status.success()) {
        eprintln!(
            "skipped: this machine lets nobody make a network of their own (user namespaces)"
        );
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let root = dir.path().join("repository");
    fs::create_dir_all(&root).expect("made");
    fs::write(root.join("send.py"), SENDER).expect("written");
    // IPv6 would say hello by itself.
    let quiet = "for file in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 1 > $file; done 2>/dev/null || true\n";
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "sh", "-c"])
        .arg(format!("{quiet}{SCRIPT}"))
        .args([
            "sh",
            WALDEN,
            "exec",
            "--auto",
            "read",
            "--max-turns",
            "1",
            "--budget",
            "2000",
            "--check",
            "off",
        ])
        .args([
            "Look up the newest release on the network, connect to 192.0.2.1, and edit send.py.",
        ])
        .current_dir(&root)
        .env("REPOSITORY", &root)
        .env("HOME", dir.path())
        .env("XDG_CONFIG_HOME", dir.path().join("config"))
        .env("WALDEN_STATE", dir.path().join("state"))
        .env("WALDEN_MODEL", model)
        .output()
        .expect("unshare starts");
    let said = String::from_utf8_lossy(&output.stdout);
    let told = String::from_utf8_lossy(&output.stderr);
    let [before, session, control] =
        ["before", "session", "control"].map(|mark| packets(&said, mark));
    assert!(
        told.contains("prompt tokens"),
        "the session did not run:\n{told}\n{said}"
    );
    assert_eq!(session, before, "the session sent packets:\n{said}");
    assert!(
        control > session,
        "the control sent none, so nothing is shown:\n{said}\n{told}"
    );
    assert!(Path::new(&dir.path().join("state/audit")).is_dir());
}
