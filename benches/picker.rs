//! Finding a file among 78,000 by a few letters: what a key costs in the picker and behind an `@`.

use criterion::{Criterion, criterion_group, criterion_main};
use walden::tui::{Ranker, Subject};

fn paths() -> Vec<String> {
    let parts = [
        "arch", "drivers", "include", "kernel", "net", "sound", "tools", "lib", "gpu", "staging",
        "media", "usb", "platform", "core",
    ];
    let names = [
        "main",
        "driver",
        "module",
        "config",
        "helper_table",
        "interrupt",
        "queue",
        "socket",
        "buffer",
        "registry",
        "protocol",
    ];
    (0..78_000_usize)
        .map(|n| {
            let part = |at: usize| parts[(n / at + n) % parts.len()];
            let name = names[n % names.len()];
            format!("{}/{}/{}/{name}_{}.c", part(1), part(7), part(61), n % 997)
        })
        .collect()
}

fn pick(criterion: &mut Criterion) {
    let paths = paths();
    let mut group = criterion.benchmark_group("78,000 paths");
    for query in ["c", "m", "sock", "drv usb q9", "zzzz"] {
        group.bench_function(format!("`{query}` at once"), |bencher| {
            bencher.iter(|| Ranker::new(Subject::Paths).best(query, &paths, 200));
        });
    }
    group.bench_function("`socket` letter by letter", |bencher| {
        bencher.iter(|| {
            let mut ranker = Ranker::new(Subject::Paths);
            (1..=6)
                .map(|end| ranker.best(&"socket"[..end], &paths, 200).1)
                .sum::<usize>()
        });
    });
    group.finish();
}

criterion_group!(benches, pick);
criterion_main!(benches);
