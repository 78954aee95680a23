//! Decides how a model is loaded: with what window, and with how many layers on a graphics device.

use std::path::Path;

use super::LlamaOptions;
use super::device::{self, Device};
use super::fit::{self, Needs, Setup, Shortage, Sizes, Window};
use super::gguf::Header;
use super::native::ContextOptions;
use super::tuning::Tuning;
use crate::model::store::{self, CATALOG, Role};
use crate::protocol::ModelMemory;

/// The largest context window that is taken unless asked for: its KV cache is memory that is taken at once.
const DEFAULT_CONTEXT: u32 = 16_384;

/// The least window: llama.cpp makes no smaller one.
const LEAST_CONTEXT: u32 = 256;

/// How a model is loaded.
#[derive(Debug)]
pub(super) struct Plan {
    /// The numbers of layers on a device to try in turn; `None` leaves it to llama.cpp where there is no device.
    pub(super) attempts: Vec<Option<u32>>,
    pub(super) context: ContextOptions,
    pub(super) tuning: Tuning,
    /// What the user has to know.
    pub(super) notice: Option<String>,
    sizes: Sizes,
    setup: Setup,
    device: Option<Device>,
}

/// Plans for this machine as it is now.
pub(super) fn plan(options: &LlamaOptions, header: &Header) -> Result<Plan, String> {
    let available = options
        .memory
        .or_else(|| store::machine_memory().map(|memory| memory.available));
    plan_for(
        options,
        Sizes::of(header),
        available,
        device::together(&device::devices()),
    )
}

fn plan_for(
    options: &LlamaOptions,
    sizes: Sizes,
    available: Option<u64>,
    device: Option<Device>,
) -> Result<Plan, String> {
    if let Some(asked) = options.context.filter(|asked| *asked < LEAST_CONTEXT) {
        return Err(format!(
            "a context window of {asked} tokens is too small for a question and an answer; {LEAST_CONTEXT} are the least"
        ));
    }
    let device = device.filter(|_| options.gpu_layers != Some(0));
    let trained = sizes.trained.filter(|trained| *trained > 0);
    let usual = trained
        .unwrap_or(DEFAULT_CONTEXT)
        .clamp(LEAST_CONTEXT, DEFAULT_CONTEXT);
    let wanted = options.context.map_or(Window::Usual(usual), Window::Asked);
    let tuning = Tuning::choose(options, device.is_some());
    let setup = Setup {
        batch: tuning.batch,
        kv: options.kv,
    };
    // What a device holds in memory of its own need not fit the machine's.
    let room = available.map(|available| {
        let own = device.as_ref().filter(|device| !device.shared);
        available.saturating_add(own.map_or(0, |device| device.free / 10 * 9))
    });
    let window = sizes
        .window(wanted, setup, room)
        .map_err(|shortage| refusal(&sizes, setup, shortage))?;
    let notice = (wanted == Window::Usual(usual) && window < usual).then(|| {
        format!(
            "The context window is {window} tokens instead of {usual}: more does not fit the {} that are free.",
            store::bytes(room.unwrap_or(0))
        )
    });
    let attempts = match &device {
        None => vec![options.gpu_layers],
        Some(device) => {
            let fitting = sizes.device_layers(window, setup, device.free);
            let first = options.gpu_layers.unwrap_or(fitting);
            fit::attempts(first.min(sizes.placeable()))
                .into_iter()
                .map(Some)
                .collect()
        }
    };
    let context = ContextOptions {
        context: window,
        batch: tuning.batch.min(window),
        threads: tuning.threads,
        batch_threads: tuning.threads,
        kv: options.kv,
        whole_window: options.whole_window,
        refuse_cuts: options.refuse_cuts,
    };
    Ok(Plan {
        attempts,
        context,
        tuning,
        notice,
        sizes,
        setup,
        device,
    })
}

impl Plan {
    /// Says that fewer layers are on the device than were tried first, if so.
    pub(super) fn fell_back(
        &self,
        layers: Option<u32>,
        failed: &[(Option<u32>, String)],
    ) -> Option<String> {
        let (first, reason) = failed.first()?;
        let device = self.device.as_ref()?;
        let place = match layers {
            Some(count @ 1..) => format!("{count} layers are on {}", device.name),
            _ => "the model runs on the processor alone".to_owned(),
        };
        Some(format!(
            "{} layers did not fit {} ({reason}): {place}.",
            first.unwrap_or(0),
            device.name
        ))
    }

    /// Says what memory the model is to take.
    pub(super) fn planned(&self) -> ModelMemory {
        self.memory(self.attempts.first().copied().flatten())
    }

    /// Says what memory the model takes with so many layers on the device.
    pub(super) fn memory(&self, layers: Option<u32>) -> ModelMemory {
        let Needs {
            weights,
            kv,
            compute,
        } = self.sizes.needs(self.context.context, self.setup);
        let device = self
            .device
            .as_ref()
            .filter(|_| layers.is_some_and(|layers| layers > 0));
        let placed = device.map_or(0, |_| layers.unwrap_or(0));
        // The output is no layer in the eyes of a person.
        let all = self.sizes.placeable() - 1;
        ModelMemory {
            weights,
            kv,
            compute,
            gpu_layers: placed.min(all),
            layers: all,
            on_device: self
                .sizes
                .on_device(placed, self.context.context, self.setup),
            device: device.map(|device| device.name.clone()),
        }
    }
}

/// Says why a model is not loaded, with the sum, and what would help.
fn refusal(sizes: &Sizes, setup: Setup, shortage: Shortage) -> String {
    let Shortage {
        needs,
        window,
        available,
        is_asked,
    } = shortage;
    let mut text = format!(
        "it needs {} (weights {}, context of {window} tokens {}, buffers {}), and {} are free. Weights that do not fit \
         would be read from the disk again for each token",
        store::bytes(needs.total()),
        store::bytes(needs.weights),
        store::bytes(needs.kv),
        store::bytes(needs.compute),
        store::bytes(available),
    );
    let mut hints = Vec::new();
    if is_asked
        && let Some(usual) = sizes.trained
        && let Ok(fitting) = sizes.window(
            Window::Usual(window.min(usual.max(LEAST_CONTEXT))),
            setup,
            Some(available),
        )
        && fitting < window
    {
        hints.push(format!("`--context {fitting}` fits"));
    }
    if setup.kv == crate::protocol::KvType::F16 {
        let smaller = Setup {
            kv: crate::protocol::KvType::Q8_0,
            ..setup
        };
        if sizes.needs(window, smaller).total() <= available {
            hints.push("`--kv q8_0` halves the context's memory and fits".to_owned());
        }
    }
    let smaller = CATALOG
        .iter()
        .filter(|model| matches!(model.role, Role::Agent | Role::Draft))
        .filter(|model| model.memory() <= available && model.memory() < needs.total())
        .max_by_key(|model| model.size);
    if let Some(model) = smaller {
        hints.push(format!("the model `{}` fits", model.name));
    }
    if hints.is_empty() {
        hints.push("close other programs, or choose a smaller model".to_owned());
    }
    text.push_str("; ");
    text.push_str(&hints.join(", "));
    text
}

/// Says why llama.cpp refused a file.
pub(super) fn explain(path: &Path, reason: &str) -> String {
    let hint = if reason.contains("unknown model architecture") {
        "; a newer version of walden may know it"
    } else {
        ""
    };
    format!("`{}`: {reason}{hint}", path.display())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::super::gguf;
    use super::super::log;
    use super::super::memory::Sequence;
    use super::super::native::{Context, Logits, Weights};
    use super::*;
    use crate::protocol::{KvType, WeightLayout};

    const GB: u64 = 1_000_000_000;

    fn options() -> LlamaOptions {
        LlamaOptions::new("model.gguf")
    }

    fn graphics(free: u64, shared: bool) -> Option<Device> {
        Some(Device {
            name: "card".to_owned(),
            driver: "CUDA".to_owned(),
            total: free,
            free,
            shared,
        })
    }

    fn real() -> (std::path::PathBuf, Sizes) {
        let path = std::env::var_os("WALDEN_TEST_SMALL_MODEL")
            .map(std::path::PathBuf::from)
            .unwrap_or_else(|| panic!("run `make test`, which names a small model"));
        let sizes = Sizes::of(&gguf::check(&path).unwrap());
        (path, sizes)
    }

    #[test]
    fn a_model_larger_than_the_memory_is_refused_with_the_sum_and_what_would_fit() {
        let sizes = Sizes::smollm2();
        let refused = plan_for(&options(), sizes.clone(), Some(50_000_000), None).unwrap_err();
        assert!(
            refused.starts_with(
                "it needs 247.3 MB (weights 96.6 MB, context of 4096 tokens 94.4 MB, buffers "
            ),
            "{refused}"
        );
        assert!(refused.contains("and 50.0 MB are free"), "{refused}");
        let asked = LlamaOptions {
            context: Some(8192),
            ..options()
        };
        let refused = plan_for(&asked, sizes.clone(), Some(258_000_000), None).unwrap_err();
        assert!(
            refused.ends_with(
                "`--context 4352` fits, `--kv q8_0` halves the context's memory and fits"
            ),
            "{refused}"
        );
        let plan = plan_for(&options(), sizes, Some(258_000_000), None).unwrap();
        assert_eq!(plan.context.context, 4352);
        assert_eq!(
            plan.notice.as_deref(),
            Some(
                "The context window is 4352 tokens instead of 8192: more does not fit the 258.0 MB that are free."
            )
        );
    }

    #[test]
    fn layers_are_placed_by_the_device_s_memory_or_as_asked() {
        let sizes = Sizes::smollm2();
        let attempts = |asked, device| {
            let options = LlamaOptions {
                gpu_layers: asked,
                ..options()
            };
            let plan = plan_for(&options, sizes.clone(), Some(8 * GB), device).unwrap();
            (plan.attempts, plan.context.batch)
        };
        assert_eq!(attempts(None, None), (vec![None], 256));
        assert_eq!(attempts(Some(0), graphics(GB, false)), (vec![Some(0)], 256));
        assert_eq!(
            attempts(None, graphics(8 * GB, false)),
            ([31, 23, 15, 0].map(Some).to_vec(), 512)
        );
        assert_eq!(attempts(Some(99), graphics(8 * GB, false)).0[0], Some(31));
        let (few, _) = attempts(None, graphics(600_000_000, false));
        assert!((Some(2)..Some(31)).contains(&few[0]), "{few:?}");
        assert_eq!(attempts(None, graphics(1000, false)), (vec![Some(0)], 512));
    }

    #[test]
    fn a_device_s_own_memory_counts_and_shared_memory_does_not_count_twice() {
        let sizes = Sizes::smollm2();
        let plan = |device| plan_for(&options(), sizes.clone(), Some(50_000_000), device);
        assert!(plan(graphics(GB, false)).is_ok());
        assert!(plan(graphics(GB, true)).is_err());
    }

    #[test]
    fn falling_back_is_told() {
        let sizes = Sizes::smollm2();
        let plan = plan_for(&options(), sizes, Some(8 * GB), graphics(8 * GB, false)).unwrap();
        let failed = [(Some(31), "out of memory".to_owned())];
        assert_eq!(plan.fell_back(Some(31), &[]), None);
        assert_eq!(
            plan.fell_back(Some(15), &failed).as_deref(),
            Some("31 layers did not fit card (out of memory): 15 layers are on card.")
        );
        assert_eq!(
            plan.fell_back(Some(0), &failed).as_deref(),
            Some(
                "31 layers did not fit card (out of memory): the model runs on the processor alone."
            )
        );
        let memory = plan.memory(Some(15));
        assert_eq!((memory.gpu_layers, memory.layers), (15, 30));
        assert!(memory.on_device > 0 && memory.on_device < memory.total());
        assert_eq!(plan.memory(Some(0)).device, None);
    }

    #[test]
    fn a_window_below_the_least_is_refused() {
        let sizes = Sizes::smollm2();
        let with = |context| {
            let options = LlamaOptions {
                context: Some(context),
                ..options()
            };
            plan_for(&options, sizes.clone(), None, None).map(|plan| plan.context.context)
        };
        assert_eq!(with(256), Ok(256));
        assert!(with(255).unwrap_err().contains("256 are the least"));
        // Nothing overflows on what nobody can have.
        assert_eq!(with(u32::MAX), Ok(u32::MAX));
    }

    #[test]
    fn the_cache_takes_in_llama_cpp_what_is_computed_here() {
        let (path, sizes) = real();
        log::start_backend();
        let weights = Weights::load(&path, None, WeightLayout::Mapped, &mut |_| true).unwrap();
        for kv in [KvType::F16, KvType::Q8_0] {
            let options = LlamaOptions {
                context: Some(512),
                threads: Some(1),
                kv,
                ..options()
            };
            let plan = plan_for(&options, sizes.clone(), None, None).unwrap();
            let mut context = Context::new(&weights, plan.context).unwrap();
            let tokens = vec![5; 128];
            for position in [0, 128, 256, 384] {
                context
                    .decode(Sequence::MAIN, &tokens, position, Logits::None, &|| false)
                    .unwrap();
            }
            let computed = plan.memory(None).kv;
            let real = context.state_bytes() as u64;
            // Besides the numbers there are the positions, and some words for each layer.
            assert!(
                (computed..computed + 16_384).contains(&real),
                "{kv:?}: {computed} computed, {real} real"
            );
        }
    }
}
