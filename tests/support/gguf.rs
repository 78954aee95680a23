//! A model of a few kilobytes, made on the spot: a llama of one layer whose vocabulary is the bytes.

/// A value of the metadata, as it is written.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    U32(u32),
    U64(u64),
    U16(u16),
    F32(f32),
    Text(String),
    Texts(Vec<String>),
    F32s(Vec<f32>),
    I32s(Vec<i32>),
}

/// A model file in its parts, to be changed before it is written.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) version: u32,
    pub(crate) values: Vec<(String, Value)>,
    /// Name, shape, type and data.
    pub(crate) tensors: Vec<(String, Vec<u64>, u32, Vec<u8>)>,
}

/// How large the model is: embedding, heads, heads of keys and values, head size, and the inner size.
const EMBEDDING: u64 = 32;
const HEADS: u32 = 4;
const KV_HEADS: u32 = 2;
const KV: u64 = 16;
const INNER: u64 = 64;

impl Draft {
    /// Drafts a model that loads and answers nonsense.
    pub(crate) fn small() -> Self {
        let mut tokens = vec!["<unk>".to_owned(), "<s>".to_owned(), "</s>".to_owned()];
        tokens.extend((0..=255).map(|byte| format!("<0x{byte:02X}>")));
        let mut types = vec![2, 3, 3];
        types.extend([6; 256]);
        let count = tokens.len() as u64;
        let text = |text: &str| Value::Text(text.to_owned());
        let values = [
            ("general.architecture", text("llama")),
            ("general.name", text("nonsense")),
            ("llama.block_count", Value::U32(1)),
            ("llama.context_length", Value::U32(512)),
            ("llama.embedding_length", Value::U32(EMBEDDING as u32)),
            ("llama.feed_forward_length", Value::U32(INNER as u32)),
            ("llama.attention.head_count", Value::U32(HEADS)),
            ("llama.attention.head_count_kv", Value::U32(KV_HEADS)),
            ("llama.attention.layer_norm_rms_epsilon", Value::F32(1e-5)),
            ("llama.rope.dimension_count", Value::U32(8)),
            ("tokenizer.ggml.model", text("llama")),
            ("tokenizer.ggml.tokens", Value::Texts(tokens)),
            (
                "tokenizer.ggml.scores",
                Value::F32s(vec![0.0; count as usize]),
            ),
            ("tokenizer.ggml.token_type", Value::I32s(types)),
            ("tokenizer.ggml.bos_token_id", Value::U32(1)),
            ("tokenizer.ggml.eos_token_id", Value::U32(2)),
        ];
        let tensors = [
            ("token_embd.weight", vec![EMBEDDING, count]),
            ("blk.0.attn_norm.weight", vec![EMBEDDING]),
            ("blk.0.attn_q.weight", vec![EMBEDDING, EMBEDDING]),
            ("blk.0.attn_k.weight", vec![EMBEDDING, KV]),
            ("blk.0.attn_v.weight", vec![EMBEDDING, KV]),
            ("blk.0.attn_output.weight", vec![EMBEDDING, EMBEDDING]),
            ("blk.0.ffn_norm.weight", vec![EMBEDDING]),
            ("blk.0.ffn_gate.weight", vec![EMBEDDING, INNER]),
            ("blk.0.ffn_up.weight", vec![EMBEDDING, INNER]),
            ("blk.0.ffn_down.weight", vec![INNER, EMBEDDING]),
            ("output_norm.weight", vec![EMBEDDING]),
        ];
        let mut random = 1u32;
        let mut weight = || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (random >> 8) as f32 / (1 << 24) as f32 - 0.5
        };
        Self {
            version: 3,
            values: values.map(|(key, value)| (key.to_owned(), value)).to_vec(),
            tensors: tensors
                .into_iter()
                .map(|(name, shape)| {
                    let count: u64 = shape.iter().product();
                    let data = (0..count).flat_map(|_| weight().to_le_bytes()).collect();
                    (name.to_owned(), shape, 0, data)
                })
                .collect(),
        }
    }

    /// Sets a value, or adds it.
    pub(crate) fn set(mut self, key: &str, value: Value) -> Self {
        match self.values.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = value,
            None => self.values.push((key.to_owned(), value)),
        }
        self
    }

    /// Takes a value away.
    pub(crate) fn without(mut self, key: &str) -> Self {
        self.values.retain(|(name, _)| name != key);
        self
    }

    /// Writes the file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = self.header();
        out.resize(out.len().next_multiple_of(32), 0);
        for (_, _, _, data) in &self.tensors {
            out.extend(data);
            out.resize(out.len().next_multiple_of(32), 0);
        }
        out
    }

    /// Writes what stands before the tensors' data.
    pub(crate) fn header(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.values.len() as u64).to_le_bytes());
        for (key, value) in &self.values {
            put_text(&mut out, key);
            put_value(&mut out, value);
        }
        let mut offset = 0u64;
        for (name, shape, kind, data) in &self.tensors {
            put_text(&mut out, name);
            out.extend((shape.len() as u32).to_le_bytes());
            for extent in shape {
                out.extend(extent.to_le_bytes());
            }
            out.extend(kind.to_le_bytes());
            out.extend(offset.to_le_bytes());
            offset += (data.len() as u64).next_multiple_of(32);
        }
        out
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    let mut array = |kind: u32, count: usize| {
        out.extend(9u32.to_le_bytes());
        out.extend(kind.to_le_bytes());
        out.extend((count as u64).to_le_bytes());
    };
    match value {
        Value::Texts(texts) => {
            array(8, texts.len());
            texts.iter().for_each(|text| put_text(out, text));
        }
        Value::F32s(numbers) => {
            array(6, numbers.len());
            numbers.iter().for_each(|n| out.extend(n.to_le_bytes()));
        }
        Value::I32s(numbers) => {
            array(5, numbers.len());
            numbers.iter().for_each(|n| out.extend(n.to_le_bytes()));
        }
        Value::U32(number) => {
            out.extend(4u32.to_le_bytes());
            out.extend(number.to_le_bytes());
        }
        Value::U64(number) => {
            out.extend(10u32.to_le_bytes());
            out.extend(number.to_le_bytes());
        }
        Value::U16(number) => {
            out.extend(2u32.to_le_bytes());
            out.extend(number.to_le_bytes());
        }
        Value::F32(number) => {
            out.extend(6u32.to_le_bytes());
            out.extend(number.to_le_bytes());
        }
        Value::Text(text) => {
            out.extend(8u32.to_le_bytes());
            put_text(out, text);
        }
    }
}

/// Changes a header at random: a byte, a number that counts or sizes something, a cut, a piece twice.
pub(crate) fn mutate(bytes: &mut Vec<u8>, random: &mut impl FnMut(usize) -> usize) {
    const EDGES: [u64; 10] = [
        0,
        1,
        0xff,
        0xffff,
        1 << 31,
        (1 << 32) - 1,
        1 << 40,
        (1 << 63) - 1,
        1 << 63,
        u64::MAX,
    ];
    for _ in 0..=random(3) {
        if bytes.is_empty() {
            return;
        }
        let at = random(bytes.len());
        match random(6) {
            0 => bytes[at] ^= 1 << random(8),
            1 => bytes[at] = random(256) as u8,
            2 | 3 => {
                let edge = EDGES[random(EDGES.len())].to_le_bytes();
                let width = [1, 4, 8][random(3)];
                for (byte, new) in bytes[at..].iter_mut().zip(&edge[..width]) {
                    *byte = *new;
                }
            }
            4 => bytes.truncate(at),
            _ => {
                let end = (at + random(64)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                let to = random(bytes.len());
                bytes.splice(to..to, piece);
            }
        }
    }
}
