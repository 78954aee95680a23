//! How much memory a model takes, and how it is made to fit: a smaller window, and only so many layers on a device.
//!
//! All of it is arithmetic on what the file says of itself, so that it can be told before anything is loaded. Weights
//! are mapped from the file and could be read from the disk again and again; they count in full all the same, because
//! a token reads all of them, and a disk is a hundred times too slow for that.

use super::gguf::Header;
use crate::protocol::KvType;

/// The least window that one is made smaller to without being asked: less holds no file and no answer.
const LEAST_WINDOW: u32 = 4096;

/// llama.cpp's windows are multiples of this.
const WINDOW_STEP: u32 = 256;

/// What a device needs besides weights, cache and buffers.
const DEVICE_RESERVE: u64 = 256 << 20;

/// The sizes of a model's parts, in bytes where not said otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sizes {
    layers: Vec<Layer>,
    /// The embedding, which is looked up on the processor, and what comes after the last layer.
    input: u64,
    output: u64,
    vocabulary: u64,
    embedding: u64,
    /// The widest intermediate result, in numbers.
    inner: u64,
    /// The context that the model was trained for, in tokens.
    pub(super) trained: Option<u32>,
}

/// A layer: its weights, and how many numbers it keeps of each token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Layer {
    weights: u64,
    keys: u64,
    values: u64,
}

/// What a model takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Needs {
    pub(super) weights: u64,
    pub(super) kv: u64,
    pub(super) compute: u64,
}

impl Needs {
    pub(super) fn total(self) -> u64 {
        sum([self.weights, self.kv, self.compute])
    }
}

/// How a model is to be set up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Setup {
    pub(super) batch: u32,
    pub(super) kv: KvType,
}

impl Sizes {
    /// Computes the sizes from a file's header.
    pub(super) fn of(header: &Header) -> Self {
        let number = |key: &str| header.number(key).unwrap_or(0);
        let count = number("block_count").saturating_sub(number("nextn_predict_layers"));
        let count = usize::try_from(count).unwrap_or(0);
        let embedding = number("embedding_length");
        let mut layers: Vec<Layer> = (0..count).map(|at| cached(header, at, count)).collect();
        let (mut input, mut output) = (0, 0);
        let mut is_tied = true;
        for tensor in &header.tensors {
            let layer = tensor
                .name
                .strip_prefix("blk.")
                .and_then(|rest| rest.split('.').next())
                .and_then(|at| at.parse().ok())
                .and_then(|at: usize| layers.get_mut(at));
            match layer {
                Some(layer) => layer.weights += tensor.bytes,
                None if tensor.name.starts_with("token_embd") => input += tensor.bytes,
                None => {
                    is_tied &= tensor.name != "output.weight";
                    output += tensor.bytes;
                }
            }
        }
        if is_tied {
            // The embedding is used for the output, too: a device gets a copy of it.
            output += input;
            input = 0;
        }
        let used = (0..count)
            .filter_map(|at| header.number_of("expert_used_count", at))
            .max()
            .unwrap_or(0);
        let dense = (0..count)
            .filter_map(|at| header.number_of("feed_forward_length", at))
            .max()
            .unwrap_or(0);
        Self {
            layers,
            input,
            output,
            vocabulary: header.vocabulary().unwrap_or(0),
            embedding,
            inner: dense.max(used.saturating_mul(number("expert_feed_forward_length"))),
            trained: header
                .number("context_length")
                .and_then(|length| u32::try_from(length).ok()),
        }
    }

    /// Returns how many layers there are to put on a device, the output counted as the last.
    pub(super) fn placeable(&self) -> u32 {
        u32::try_from(self.layers.len() + 1).unwrap_or(u32::MAX)
    }

    /// Returns what the model takes with a window.
    pub(super) fn needs(&self, window: u32, setup: Setup) -> Needs {
        let window = padded(window);
        let batch = u64::from(setup.batch);
        let weights = sum(self.layers.iter().map(|layer| layer.weights));
        // One mask of half floats for all layers; the intermediate results of a layer are overwritten by the next.
        let numbers = [
            self.vocabulary,
            self.inner,
            self.embedding.saturating_mul(4),
        ];
        let row = sum(numbers).saturating_mul(4).saturating_add(2 * window);
        Needs {
            weights: sum([weights, self.input, self.output]),
            kv: sum(self.layers.iter().map(|layer| layer.kv(window, setup.kv))),
            compute: batch.saturating_mul(row),
        }
    }

    /// Returns the window to use: the one that is asked for, or else the usual one or what fits of it.
    pub(super) fn window(
        &self,
        wanted: Window,
        setup: Setup,
        available: Option<u64>,
    ) -> Result<u32, Shortage> {
        let fits = |window| {
            available.is_none_or(|available| self.needs(window, setup).total() <= available)
        };
        let shortage = |window| Shortage {
            needs: self.needs(window, setup),
            window,
            available: available.unwrap_or(u64::MAX),
            is_asked: matches!(wanted, Window::Asked(_)),
        };
        match wanted {
            Window::Asked(window) if fits(window) => Ok(window),
            Window::Asked(window) => Err(shortage(window)),
            Window::Usual(window) if fits(window) => Ok(window),
            Window::Usual(window) => {
                let least = LEAST_WINDOW.min(window);
                let mut smaller = window / WINDOW_STEP * WINDOW_STEP;
                while smaller > least && !fits(smaller) {
                    smaller -= WINDOW_STEP;
                }
                if smaller >= least && fits(smaller) {
                    Ok(smaller)
                } else {
                    Err(shortage(least))
                }
            }
        }
    }

    /// Returns how many layers fit a device with this much free memory, counted as llama.cpp counts them: the output
    /// first, and then from the last layer to the first.
    pub(super) fn device_layers(&self, window: u32, setup: Setup, free: u64) -> u32 {
        // Device memory is handed out in pieces, and somebody's screen may grow.
        let reserved = sum([DEVICE_RESERVE, free / 20, self.needs(window, setup).compute]);
        let Some(mut left) = free
            .checked_sub(reserved)
            .and_then(|left| left.checked_sub(self.output))
        else {
            return 0;
        };
        let window = padded(window);
        let mut count = 1;
        for layer in self.layers.iter().rev() {
            let Some(rest) = left.checked_sub(layer.placed(window, setup.kv)) else {
                break;
            };
            left = rest;
            count += 1;
        }
        // The output alone is not worth the way there and back.
        if count > 1 { count } else { 0 }
    }

    /// Returns how much of the weights and the cache lies on a device that has so many layers.
    pub(super) fn on_device(&self, count: u32, window: u32, setup: Setup) -> u64 {
        let Some(count) = (count as usize).checked_sub(1) else {
            return 0;
        };
        let window = padded(window);
        let layers = self.layers.iter().rev().take(count);
        let placed = layers.map(|layer| layer.placed(window, setup.kv));
        sum(placed.chain([self.output]))
    }
}

/// Adds sizes up. A file may claim any: what no machine has is as good as without end.
fn sum(sizes: impl IntoIterator<Item = u64>) -> u64 {
    sizes.into_iter().fold(0, u64::saturating_add)
}

/// Returns the tokens that llama.cpp makes room for.
fn padded(window: u32) -> u64 {
    u64::from(window).next_multiple_of(u64::from(WINDOW_STEP))
}

impl Layer {
    fn kv(self, window: u64, kind: KvType) -> u64 {
        let row = |numbers: u64| match kind {
            KvType::F16 => numbers.saturating_mul(2),
            // Blocks of 32 bytes, each with a scale of two bytes.
            KvType::Q8_0 => numbers.div_ceil(32).saturating_mul(34),
        };
        window.saturating_mul(sum([row(self.keys), row(self.values)]))
    }

    /// Returns what the layer takes on a device.
    fn placed(self, window: u64, kind: KvType) -> u64 {
        self.weights.saturating_add(self.kv(window, kind))
    }
}

/// Returns how many numbers a layer keeps of each token.
fn cached(header: &Header, at: usize, count: usize) -> Layer {
    let number = |key: &str| header.number(key);
    let of_layer = |key: &str| header.number_of(key, at);
    let heads = of_layer("attention.head_count").unwrap_or(0);
    let kv_heads = of_layer("attention.head_count_kv").unwrap_or(heads);
    // Layers that keep a state of a fixed size, or look at an earlier layer's keys, have no cache of their own.
    let is_recurrent = number("full_attention_interval")
        .is_some_and(|interval| interval > 0 && !(at as u64 + 1).is_multiple_of(interval));
    let own = count.saturating_sub(
        number("attention.shared_kv_layers")
            .map_or(0, |shared| usize::try_from(shared).unwrap_or(0)),
    );
    if heads == 0 || kv_heads == 0 || is_recurrent || at >= own {
        return Layer::default();
    }
    let head = number("embedding_length").unwrap_or(0) / heads;
    // Layers that see a part of the window keep all of it here, and may have heads of another size.
    let size = |key: &str, sliding: &str| {
        let full = number(key).unwrap_or(head);
        full.max(number(sliding).unwrap_or(full))
    };
    let keys = size("attention.key_length", "attention.key_length_swa");
    let values = size("attention.value_length", "attention.value_length_swa");
    // Where keys and values are kept compressed together, there are no values besides.
    let is_compressed = number("attention.key_length_mla").is_some();
    Layer {
        weights: 0,
        keys: kv_heads.saturating_mul(keys),
        values: if is_compressed {
            0
        } else {
            kv_heads.saturating_mul(values)
        },
    }
}

/// The window that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Window {
    /// By the user: it is that or nothing.
    Asked(u32),
    /// By default: less will do.
    Usual(u32),
}

/// A model that does not fit the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shortage {
    pub(super) needs: Needs,
    pub(super) window: u32,
    pub(super) available: u64,
    pub(super) is_asked: bool,
}

/// Returns the numbers of layers to try on a device, most first: what it says is free may not be so.
pub(super) fn attempts(layers: u32) -> Vec<u32> {
    let mut attempts = vec![layers, layers * 3 / 4, layers / 2, 0];
    attempts.dedup();
    attempts
}

#[cfg(test)]
impl Sizes {
    /// A model of the size of SmolLM2 135M.
    pub(super) fn smollm2() -> Self {
        let layer = Layer {
            weights: 2_150_000,
            keys: 192,
            values: 192,
        };
        Self {
            layers: vec![layer; 30],
            input: 0,
            output: 32_100_000,
            vocabulary: 49_152,
            embedding: 576,
            inner: 1536,
            trained: Some(8192),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETUP: Setup = Setup {
        batch: 128,
        kv: KvType::F16,
    };

    /// Ten layers of 100 MB, an output of 200 MB, 2 KiB a token and layer.
    fn sizes() -> Sizes {
        let layer = Layer {
            weights: 100_000_000,
            keys: 512,
            values: 512,
        };
        Sizes {
            layers: vec![layer; 10],
            input: 50_000_000,
            output: 200_000_000,
            vocabulary: 32_000,
            embedding: 1024,
            inner: 4096,
            trained: Some(32_768),
        }
    }

    #[test]
    fn the_parts_add_up() {
        let needs = sizes().needs(4096, SETUP);
        assert_eq!(needs.weights, 1_250_000_000);
        assert_eq!(needs.kv, 4096 * 10 * 2048);
        assert_eq!(needs.compute, 128 * (4 * (32_000 + 8192) + 2 * 4096));
        let small = sizes().needs(
            4096,
            Setup {
                kv: KvType::Q8_0,
                ..SETUP
            },
        );
        assert_eq!(small.kv, 4096 * 10 * 2 * 16 * 34);
    }

    #[test]
    fn a_window_that_was_not_asked_for_is_made_to_fit() {
        let sizes = sizes();
        let all = sizes.needs(16_384, SETUP).total();
        let check = |wanted, available| sizes.window(wanted, SETUP, available);
        assert_eq!(check(Window::Usual(16_384), None), Ok(16_384));
        assert_eq!(check(Window::Usual(16_384), Some(all)), Ok(16_384));
        let less = check(Window::Usual(16_384), Some(all - 1)).expect("fits");
        assert_eq!(less, 16_384 - 256);
        let least = sizes.needs(4096, SETUP).total();
        assert_eq!(check(Window::Usual(16_384), Some(least)), Ok(4096));
        let shortage = check(Window::Usual(16_384), Some(least - 1)).expect_err("refused");
        assert_eq!((shortage.window, shortage.is_asked), (4096, false));
        // What was asked for is that or nothing.
        assert_eq!(check(Window::Asked(16_384), Some(all)), Ok(16_384));
        let shortage = check(Window::Asked(16_384), Some(all - 1)).expect_err("refused");
        assert_eq!(shortage.needs.total(), all);
        assert_eq!((shortage.window, shortage.is_asked), (16_384, true));
        // A small window is asked for as well, and none is made larger.
        assert_eq!(check(Window::Usual(512), Some(least)), Ok(512));
    }

    #[test]
    fn layers_go_to_a_device_as_far_as_its_memory_reaches() {
        let sizes = sizes();
        let layers = |free| sizes.device_layers(4096, SETUP, free);
        assert_eq!(layers(0), 0);
        assert_eq!(layers(1 << 28), 0);
        assert_eq!(layers(8_000_000_000), 11);
        assert_eq!(sizes.placeable(), 11);
        let mut last = 0;
        for free in (0..3_000_000_000).step_by(10_000_000) {
            let count = layers(free);
            assert!(count >= last, "more memory never holds less");
            assert_ne!(count, 1, "the output alone stays");
            let placed = sizes.on_device(count, 4096, SETUP);
            assert!(placed <= free, "{count} layers of {placed} bytes in {free}");
            last = count;
        }
        assert_eq!(sizes.on_device(0, 4096, SETUP), 0);
        assert_eq!(
            sizes.on_device(3, 4096, SETUP),
            200_000_000 + 2 * (100_000_000 + 4096 * 2048)
        );
    }

    #[test]
    fn what_does_not_fit_a_device_is_tried_smaller_and_then_on_the_processor() {
        assert_eq!(attempts(40), [40, 30, 20, 0]);
        assert_eq!(attempts(2), [2, 1, 0]);
        assert_eq!(attempts(0), [0]);
    }
}
