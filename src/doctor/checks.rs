//! What is looked at.

use std::path::PathBuf;
use std::time::Instant;

use super::{Check, Report, State};
use crate::model::llama::{self, Hardware, LlamaOptions};
use crate::model::store::{self, Memory};
use crate::protocol::{
    GenerationId, Message, ModelEvent, ModelFailure, ModelRequest, Sampling, ToolChoice,
};
use crate::sandbox::kernel::{Kernel, kernel};

/// What is to be examined, as the command line and the configuration say it.
#[derive(Debug)]
pub struct Subject {
    /// What is wrong with the configuration, if anything is.
    pub configuration: Result<(), String>,
    /// The folder of the sessions, or why there is none.
    pub state: Result<PathBuf, String>,
    /// The model that would be used, or why there is none and what helps.
    pub model: Result<LlamaOptions, (String, Vec<String>)>,
    /// Loads the model and computes a token.
    pub load: bool,
    /// The colours that a screen here would have.
    pub colours: &'static str,
    /// There is a terminal.
    pub terminal: bool,
    /// The program that runs containers.
    pub containers: Option<PathBuf>,
}

/// Looks at everything.
pub fn examine(subject: Subject) -> Report {
    let hardware = llama::hardware();
    let mut checks = vec![
        ok("version", version()),
        processor(&hardware),
        memory(store::machine_memory()),
        devices(&hardware),
        match subject.configuration {
            Ok(()) => ok("configuration", "sound"),
            Err(reason) => fail("configuration", reason),
        },
        match subject.state {
            Ok(folder) => ok("sessions", folder.display().to_string()),
            Err(reason) => fail("sessions", reason),
        },
    ];
    match subject.model {
        Err((reason, hints)) => checks.push(Check {
            hint: hints.into_iter().next(),
            ..fail("model", reason)
        }),
        Ok(options) => {
            let check = model(&options);
            let is_sound = check.state != State::Fail;
            checks.push(check);
            if subject.load && is_sound {
                checks.push(load(options));
            }
        }
    }
    checks.push(terminal(subject.terminal, subject.colours));
    if cfg!(target_os = "linux") {
        checks.extend(bounds(kernel()));
        checks.push(ok(
            "containers",
            match &subject.containers {
                Some(program) => format!(
                    "`{}`, for servers that are to run in one",
                    program.display()
                ),
                None => "no podman and no docker; servers that are to run in one are not started"
                    .to_owned(),
            },
        ));
    }
    Report { checks }
}

fn ok(name: &'static str, text: impl Into<String>) -> Check {
    Check {
        name,
        state: State::Ok,
        text: text.into(),
        hint: None,
    }
}

fn warn(name: &'static str, text: impl Into<String>, hint: impl Into<String>) -> Check {
    Check {
        state: State::Warn,
        hint: Some(hint.into()),
        ..ok(name, text)
    }
}

fn fail(name: &'static str, text: impl Into<String>) -> Check {
    Check {
        state: State::Fail,
        ..ok(name, text)
    }
}

fn version() -> String {
    let mut features = Vec::new();
    for (name, is_on) in [
        ("net", cfg!(feature = "net")),
        ("cuda", cfg!(feature = "cuda")),
        ("vulkan", cfg!(feature = "vulkan")),
        ("metal", cfg!(feature = "metal")),
    ] {
        if is_on {
            features.push(name);
        }
    }
    format!(
        "walden {} for {} {}, features: {}",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH,
        listed(&features)
    )
}

fn listed(names: &[&str]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.join(", "),
    }
}

fn processor(hardware: &Hardware) -> Check {
    let text = format!(
        "{} cores, built for: {}",
        hardware.cores,
        listed(&hardware.used)
    );
    if !hardware.lacking.is_empty() {
        return Check {
            hint: Some("build walden on this machine".to_owned()),
            ..fail(
                "processor",
                format!("{text}; lacking: {}", listed(&hardware.lacking)),
            )
        };
    }
    if hardware.unused.is_empty() {
        ok("processor", text)
    } else {
        warn(
            "processor",
            format!("{text}; unused: {}", listed(&hardware.unused)),
            "RUSTFLAGS='-C target-cpu=native' when building lets prompts be read several times faster",
        )
    }
}

fn memory(memory: Option<Memory>) -> Check {
    match memory {
        None => warn(
            "memory",
            "this system does not say how much there is",
            "a model that is too large is not noticed before it is loaded",
        ),
        Some(memory) => ok(
            "memory",
            format!(
                "{} free of {}",
                store::bytes(memory.available),
                store::bytes(memory.total)
            ),
        ),
    }
}

fn devices(hardware: &Hardware) -> Check {
    let is_built = cfg!(any(feature = "cuda", feature = "vulkan", feature = "metal"));
    if hardware.devices.is_empty() {
        return if is_built {
            warn(
                "graphics",
                "no device is there; the processor computes",
                "look at the driver of the card",
            )
        } else {
            ok("graphics", "not built in; the processor computes")
        };
    }
    let devices: Vec<String> = hardware
        .devices
        .iter()
        .map(|device| {
            format!(
                "{} ({}, {} free of {})",
                device.name,
                device.driver,
                store::bytes(device.free),
                store::bytes(device.total)
            )
        })
        .collect();
    ok("graphics", devices.join(", "))
}

fn model(options: &LlamaOptions) -> Check {
    match llama::examine(options) {
        Err(reason) => Check {
            hint: Some("`walden model recommend` names models that fit".to_owned()),
            ..fail("model", format!("{}: {reason}", options.name))
        },
        Ok(outlook) => {
            let text = format!(
                "{} ({}), context {} tokens, {}",
                options.name, outlook.architecture, outlook.context, outlook.memory
            );
            match outlook.notice {
                None => ok("model", text),
                Some(notice) => warn("model", text, notice),
            }
        }
    }
}

/// Loads a model and lets it write a token.
fn load(options: LlamaOptions) -> Check {
    let name = "engine";
    let started = Instant::now();
    let (state, mut states) = tokio::sync::mpsc::unbounded_channel();
    let model = llama::spawn(options, state);
    let mut notice = None;
    let loaded = loop {
        match states.blocking_recv() {
            Some(ModelEvent::Loaded { info }) => break Ok(info),
            Some(ModelEvent::Failed { failure }) => break Err(failure),
            Some(ModelEvent::Notice { text }) => notice = Some(text),
            Some(_) => {}
            None => {
                break Err(ModelFailure::Engine {
                    message: "its thread ended".to_owned(),
                });
            }
        }
    };
    let info = match loaded {
        Ok(info) => info,
        Err(failure) => return fail(name, failure.to_string()),
    };
    let loading = started.elapsed();
    let mut generation = model.generate(ModelRequest {
        id: GenerationId(0),
        messages: vec![Message::User {
            text: "Say yes.".to_owned(),
        }],
        tools: Vec::new(),
        choice: ToolChoice::Auto,
        sampling: Sampling {
            max_tokens: 1,
            ..Sampling::default()
        },
        passages: Vec::new(),
        known: Vec::new(),
        lane: crate::protocol::Lane::Main,
        unlisted: 0,
        doubts: None,
    });
    loop {
        match generation.events.blocking_recv() {
            Some(ModelEvent::Done { .. }) => break,
            Some(ModelEvent::Failed { failure }) => return fail(name, failure.to_string()),
            Some(_) => {}
            None => return fail(name, "its thread ended"),
        }
    }
    let text = format!(
        "loaded in {:.1} s, {}; it answers",
        loading.as_secs_f32(),
        info.memory
    );
    match notice {
        None => ok(name, text),
        Some(notice) => warn(name, text, notice),
    }
}

fn terminal(is_there: bool, colours: &'static str) -> Check {
    if is_there {
        ok("terminal", colours)
    } else {
        warn(
            "terminal",
            "there is none here",
            "`walden exec` works without one",
        )
    }
}

/// What the seal of a session would hold here.
fn seal(kernel: Kernel, as_root: bool) -> Check {
    let name = "seal";
    match (kernel.landlock, kernel.seccomp) {
        (None | Some(..3), true) => warn(
            name,
            "the network is out of a session's reach, files outside the roots are not",
            "Landlock of version 3 or later keeps files out of reach (Linux 6.2)",
        ),
        (Some(3..), false) => warn(
            name,
            "files outside the roots are out of a session's reach, the network is not",
            "the kernel was built without filters for system calls",
        ),
        (_, false) => warn(
            name,
            "this kernel keeps a session from nothing",
            "Linux 6.2 or later with Landlock and seccomp does",
        ),
        (Some(3..), true) if as_root => warn(
            name,
            "holds, but as root: files that only root reads can be read, and the modes and times of any be changed",
            "start walden as a user",
        ),
        (Some(3..6), true) => warn(
            name,
            "network and files are out of a session's reach; signals to your other programs are not",
            "Linux 6.12 or later keeps signals in, too",
        ),
        (Some(_), true) => ok(
            name,
            "network and files outside the roots are out of a session's reach",
        ),
    }
}

/// What can be enforced by the kernel, a line each.
fn bounds(kernel: Kernel) -> Vec<Check> {
    let as_root = rustix::process::geteuid().is_root();
    let mut checks = vec![
        seal(kernel, as_root),
        match kernel.landlock {
            Some(version) => ok("landlock", format!("version {version}")),
            None => warn(
                "landlock",
                "not there, or switched off",
                "a kernel of 5.13 or later has it; it is switched on with `lsm=landlock,…` at boot",
            ),
        },
    ];
    for (name, is_there, hint) in [
        (
            "openat2",
            kernel.openat2,
            "a kernel of 5.6 or later has it, unless a container forbids it; paths are resolved step by step without",
        ),
        (
            "seccomp",
            kernel.seccomp,
            "the kernel was built without filters for system calls",
        ),
        (
            "namespaces",
            kernel.user_namespaces,
            "an administrator switched off user namespaces (`sysctl user.max_user_namespaces`)",
        ),
    ] {
        checks.push(if is_there {
            ok(name, "there")
        } else {
            warn(name, "not there", hint)
        });
    }
    checks
}
