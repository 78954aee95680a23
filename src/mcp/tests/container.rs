use proptest::prelude::*;

use super::*;

fn argv(image: &str, read: &[&str], env: &[&str], command: &[&str]) -> Result<Vec<String>, String> {
    let read: Vec<PathBuf> = read.iter().map(PathBuf::from).collect();
    let env: Vec<String> = env.iter().map(|name| (*name).to_owned()).collect();
    let command: Vec<String> = command.iter().map(|word| (*word).to_owned()).collect();
    Run {
        runtime: Path::new("/usr/bin/podman"),
        container: &Container {
            image: image.to_owned(),
            network: false,
        },
        read: &read,
        write: &[],
        env: &env,
        folder: Path::new("/home/me/project"),
        user: (1000, 1000),
        command: &command,
    }
    .argv()
}

#[test]
fn a_container_is_granted_nothing_that_is_not_named() {
    let argv = argv(
        "images.example/org/server:1",
        &["/home/me/project"],
        &["TOKEN"],
        &["serve", "--all"],
    );
    let argv = argv.expect("a command line").join(" ");
    assert_eq!(
        argv,
        "/usr/bin/podman run --rm --interactive --pull=never --log-driver=none --network=none --read-only \
         --tmpfs=/tmp:rw,nosuid,nodev,size=256m --cap-drop=all --security-opt=no-new-privileges --userns=keep-id \
         --user=1000:1000 --memory=2g --pids-limit=256 --ulimit=nofile=4096:4096 \
         --mount=type=bind,source=/home/me/project,target=/home/me/project,readonly --env=HOME=/tmp --env=TOKEN \
         --workdir=/home/me/project images.example/org/server:1 serve --all"
    );
}

#[test]
fn an_administrator_runs_it_as_nobody_and_the_network_is_given_only_by_name() {
    let run = Run {
        runtime: Path::new("/usr/bin/docker"),
        container: &Container {
            image: "it".to_owned(),
            network: true,
        },
        read: &[],
        write: &[PathBuf::from("/home/me/out")],
        env: &[],
        folder: Path::new("/home/me/project"),
        user: (0, 0),
        command: &[],
    };
    let argv = run.argv().expect("a command line");
    assert!(argv.contains(&"--user=65534:65534".to_owned()));
    assert!(
        !argv
            .iter()
            .any(|word| word.starts_with("--network") || word.starts_with("--userns"))
    );
    assert!(argv.contains(&"--mount=type=bind,source=/home/me/out,target=/home/me/out".to_owned()));
    assert_eq!(argv.last().map(String::as_str), Some("it"));
}

#[test]
fn what_could_be_read_as_something_else_is_refused() {
    for image in ["", "-v", "--privileged", "a b", "a;b", "a\nb", "$(id)", "é"] {
        assert!(argv(image, &[], &[], &[]).is_err(), "{image}");
    }
    for path in [
        "/",
        "//",
        "/proc",
        "/run/",
        "/etc",
        "relative",
        "/a/../..",
        "/a,readonly=false",
        "/a\"b",
        "/a\nb",
    ] {
        assert!(argv("it", &[path], &[], &[]).is_err(), "{path}");
    }
    for name in ["", "A=B", "--privileged", "A B", "A*"] {
        assert!(argv("it", &[], &[name], &[]).is_err(), "{name}");
    }
}

proptest! {
    #[test]
    fn whatever_is_asked_for_nothing_is_added_to_what_it_may(
        image in "\\PC{0,20}", path in "/\\PC{0,20}", name in "\\PC{0,10}", word in "\\PC{0,20}",
    ) {
        let Ok(argv) = argv(&image, &[&path], &[&name], &[&word]) else {
            return Ok(());
        };
        // Before the image stands what walden put there, in its number.
        let at = argv.iter().position(|found| *found == image).expect("the image");
        prop_assert_eq!(argv.len() - at, 2);
        for must in ["--network=none", "--cap-drop=all", "--read-only", "--pull=never"] {
            prop_assert!(argv[..at].iter().any(|found| found == must));
        }
        prop_assert!(argv[..at].iter().skip(2).all(|found| found.starts_with("--")));
        prop_assert_eq!(argv[..at].iter().filter(|found| found.starts_with("--mount=")).count(), 1);
        prop_assert!(argv[..at].iter().all(|found| !found.contains("privileged")
            || found.starts_with("--mount=") || found.starts_with("--env=") || found.ends_with("no-new-privileges")));
    }
}
