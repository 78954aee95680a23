//! Claims about what confines a program: the small helper, and walden itself where that cannot be started.

#![expect(
    clippy::disallowed_methods,
    reason = "a test lays its own files and starts programs"
)]

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use walden::sandbox::{self, Lacking, Launcher, Limits, Metadata, Profile, Verdict};

const WALDEN: &str = env!("CARGO_BIN_EXE_walden");

fn profile(dir: &Path, metadata: Metadata) -> Profile {
    Profile {
        read: vec![dir.join("read")],
        write: vec![dir.join("write")],
        scratch: dir.join("scratch"),
        lacking: Lacking::default(),
        metadata,
        limits: Limits::default(),
    }
}

fn ground() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    for folder in ["read", "write", "scratch", "outside"] {
        std::fs::create_dir(dir.path().join(folder)).expect("made");
        std::fs::write(dir.path().join(folder).join("file"), folder).expect("written");
    }
    dir
}

fn confined(launcher: &Launcher, script: &str, dir: &Path, metadata: Metadata) -> Command {
    let argv = ["sh", "-c", script, "name of the script", ""].map(str::to_owned);
    launcher
        .command(&argv, &dir.join("write"), &profile(dir, metadata))
        .expect("a command")
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// What a program can find out about how it is confined.
const TELLS: &str = r#"
grep -E '^(NoNewPrivs|Seccomp|Seccomp_filters|Cap(Inh|Prm|Eff|Amb)):' /proc/self/status
cat /proc/self/limits; env | sort; pwd; echo "$0 $#"; ls /proc/self/fd | wc -l
for folder in read write scratch outside; do
    cat ../$folder/file; echo " $folder read $?"
    echo changed 2>&1 > ../$folder/new; echo "$folder written $?"
    chmod 600 ../$folder/file; echo "$folder mode $?"
    ln ../outside/file ../$folder/linked; echo "$folder linked $?"
    mkfifo ../$folder/pipe; echo "$folder pipe $?"
    rm -f ../$folder/new
done
cat /dev/null && echo null > /dev/null; echo "null $?"
exit 7
"#;

#[test]
fn both_helpers_confine_alike() {
    for metadata in [Metadata::Kept, Metadata::Free] {
        let dir = ground();
        let run = |launcher: &Launcher| {
            let output = confined(launcher, TELLS, dir.path(), metadata).output();
            said(&output.expect("it starts"))
        };
        let small = run(&Launcher::at(WALDEN));
        assert_eq!(small.0, Some(7), "{small:?}");
        assert!(small.1.contains("Seccomp_filters:\t3"), "{small:?}");
        assert!(small.1.contains("name of the script 1"), "{small:?}");
        assert_eq!(small, run(&Launcher::at(WALDEN).without_small()));
    }
}

#[test]
fn the_small_helper_is_taken_where_it_can_be_started() {
    let dir = ground();
    let command = confined(&Launcher::at(WALDEN), "", dir.path(), Metadata::Kept);
    let program = Path::new(command.get_program());
    assert!(program.starts_with("/proc/self/fd"), "{program:?}");
    let slow = Launcher::at(WALDEN).without_small();
    let command = confined(&slow, "", dir.path(), Metadata::Kept);
    assert_eq!(command.get_program(), WALDEN);
}

#[test]
fn walden_as_its_own_helper_refuses_every_way_out_too() {
    let dir = tempfile::tempdir().expect("a folder");
    let launcher = Launcher::at(WALDEN).without_small();
    let proofs = sandbox::prove(&launcher, dir.path()).expect("answers");
    let broken: Vec<_> = proofs
        .iter()
        .filter(|proof| proof.verdict == Verdict::Broken)
        .collect();
    assert!(broken.is_empty(), "{broken:?}");
    assert!(proofs.len() > 48);
}

/// The words that the small helper is given, and where it is.
fn words(dir: &Path, script: &str) -> (PathBuf, Vec<String>) {
    let command = confined(&Launcher::at(WALDEN), script, dir, Metadata::Kept);
    let words = command.get_args();
    (
        command.get_program().into(),
        words.map(|word| word.to_string_lossy().into()).collect(),
    )
}

#[test]
fn a_small_helper_that_cannot_do_what_it_is_told_starts_nothing() {
    let dir = ground();
    let mark = dir.path().join("write/started");
    let (program, told) = words(dir.path(), &format!("touch {}", mark.display()));
    let run = |words: &[String]| {
        let _ = std::fs::remove_file(&mark);
        let mut command = Command::new(&program);
        let output = command.arg0(sandbox::HELPER).args(words).output();
        (said(&output.expect("it starts")), mark.exists())
    };
    let (_, started) = run(&told);
    assert!(started, "as it was told, it starts");
    let with = |at: usize, word: &str| {
        let mut words = told.clone();
        words[at] = word.to_owned();
        words
    };
    let count = told.len();
    for (words, because) in [
        (Vec::new(), "started by walden alone"),
        (told[..3].to_vec(), "started by walden alone"),
        // More rules than there are words.
        (with(2, "4000000"), "started by walden alone"),
        // No rights to look after, and rights that no kernel has.
        (with(0, "0 0 0 31 0 600 2147483648 1024 0"), "bound files"),
        (
            with(0, "18446744073709551615 0 0 31 0 600 2147483648 1024 0"),
            "bound files",
        ),
        // A rule for a right that is not looked after, and a folder's right for a file.
        (with(3, "4611686018427387904:/usr"), "bound files: /usr"),
        (with(3, "8:/dev/null"), "bound files: /dev/null"),
        // Filters that are none.
        (with(1, ",ffffffffffffffff"), "filter system calls"),
        (with(1, ",2000"), "filter system calls"),
    ] {
        let ((status, _, error), started) = run(&words);
        assert_eq!(status, Some(sandbox::REFUSED), "{words:?}: {error}");
        assert!(error.contains(because), "{words:?}: {error}");
        assert!(!started, "{words:?}");
    }
    let end = told
        .iter()
        .position(|word| word.ends_with("/sh"))
        .expect("the program");
    assert!(end < count);
    for (program, expected) in [("/usr/bin/no-such-program", 127), ("/etc/passwd", 126)] {
        let ((status, _, error), _) = run(&with(end, program));
        assert_eq!(status, Some(expected), "{error}");
        assert!(
            error.starts_with(&format!("walden: cannot start {program}")),
            "{error}"
        );
    }
}

#[test]
fn what_a_stranger_chose_for_the_environment_is_not_obeyed_before_the_program_is_confined() {
    for launcher in [Launcher::at(WALDEN), Launcher::at(WALDEN).without_small()] {
        let dir = ground();
        let outside = dir.path().join("outside/log");
        // The loader of libraries writes a file, wherever it is told to: as a library named by LD_PRELOAD could.
        let variables = [
            ("LD_DEBUG", "files"),
            ("LD_DEBUG_OUTPUT", &outside.to_string_lossy()),
            ("OF_THE_PROGRAM", "yes"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let argv = ["sh", "-c", "echo $OF_THE_PROGRAM"].map(str::to_owned);
        let profile = profile(dir.path(), Metadata::Kept);
        let run = |mut command: Command| said(&command.output().expect("it starts"));
        let command = launcher
            .command_with(&argv, &dir.path().join("write"), &profile, &variables)
            .expect("a command");
        let (status, out, error) = run(command);
        // Where it may not write that file it says it here.
        assert_eq!((status, out.ends_with("yes\n")), (Some(0), true), "{error}");
        let laid = || {
            std::fs::read_dir(dir.path().join("outside"))
                .expect("there")
                .count()
        };
        assert_eq!(laid(), 1, "only what was there");
        // The control: a program that is not confined does it.
        let mut free = Command::new("sh");
        free.args(["-c", "true"]).envs(variables);
        run(free);
        assert!(laid() > 1);
    }
}
