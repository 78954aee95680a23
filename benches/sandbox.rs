//! What a sandboxed start costs beside a free one: `true`, started and waited for.

use std::path::PathBuf;
use std::process::Command;

use criterion::{Criterion, criterion_group, criterion_main};
use walden::sandbox::{Launcher, Limits, Metadata, Profile};

fn start(criterion: &mut Criterion) {
    let scratch = tempfile::tempdir().expect("a folder");
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let profile = Profile {
        read: vec![here.clone()],
        write: Vec::new(),
        scratch: scratch.path().to_owned(),
        lacking: walden::sandbox::Lacking::default(),
        metadata: Metadata::Kept,
        limits: Limits::default(),
    };
    // Built in the same profile as this: `cargo bench` builds the program first.
    let launcher = Launcher::at(env!("CARGO_BIN_EXE_walden"));
    let argv = ["true".to_owned()];
    let mut group = criterion.benchmark_group("starting `true`");
    group.bench_function("free", |bencher| {
        bencher.iter(|| {
            #[expect(clippy::disallowed_methods, reason = "what a free start costs")]
            let status = Command::new("true").status();
            assert!(status.expect("it starts").success());
        });
    });
    // Walden as its own helper, alone: this program, started to say that it is none, which every confined start pays.
    group.bench_function("walden's helper, which becomes nothing", |bencher| {
        bencher.iter(|| {
            use std::os::unix::process::CommandExt as _;
            #[expect(clippy::disallowed_methods, reason = "what the helper alone costs")]
            let mut helper = Command::new(env!("CARGO_BIN_EXE_walden"));
            let output = helper.arg0(walden::sandbox::HELPER).output();
            assert!(!output.expect("it starts").status.success());
        });
    });
    for (name, launcher) in [
        ("confined", launcher.clone()),
        (
            "confined, with walden as the helper",
            launcher.without_small(),
        ),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut command = launcher.command(&argv, &here, &profile).expect("a command");
                assert!(command.status().expect("it starts").success());
            });
        });
    }
    group.finish();
}

criterion_group!(benches, start);
criterion_main!(benches);
