//! Huffman codes of limited length, and the bits they are written in.

/// A canonical Huffman code for each of `N` symbols.
pub struct Codes<const N: usize> {
    /// In bits; 0 for a symbol that doesn't occur.
    pub lengths: [u8; N],
    /// Ready to be written: the first bit is the lowest.
    codes: [u16; N],
}

impl<const N: usize> Codes<N> {
    /// Codes for symbols that occur so often; the sum of `counts` must fit into 31 bits.
    pub fn new(counts: &[u32; N], max_bits: usize) -> Self {
        let mut counts = *counts;
        // A reader takes a table of one code for damaged.
        let missing = 2_usize.saturating_sub(counts.iter().filter(|&&count| count > 0).count());
        counts.iter_mut().filter(|count| **count == 0).take(missing).for_each(|count| *count = 1);

        // Flattening the counts until the longest code fits costs a little size, in the rare
        // case that it happens, and saves a second algorithm.
        let mut lengths = code_lengths(&counts);
        while lengths.iter().any(|&length| usize::from(length) > max_bits) {
            counts.iter_mut().for_each(|count| *count = (*count + 1) / 2);
            lengths = code_lengths(&counts);
        }
        Self { lengths, codes: canonical_codes(&lengths) }
    }
}

/// Code lengths by Huffman's method, on a sorted list and a queue.
fn code_lengths<const N: usize>(counts: &[u32; N]) -> [u8; N] {
    let mut leaves: Vec<usize> = (0..N).filter(|&symbol| counts[symbol] > 0).collect();
    leaves.sort_by_key(|&symbol| counts[symbol]);

    // Nodes are the leaves, lightest first, then the joints in the order in which they are made,
    // which is by weight too: the lightest node left is the first of one or the other.
    let mut weights: Vec<u32> = leaves.iter().map(|&symbol| counts[symbol]).collect();
    let mut parents = vec![0; 2 * leaves.len()];
    let (mut leaf, mut joint) = (0, leaves.len());
    for _ in 1..leaves.len() {
        let mut weight = 0;
        for _ in 0..2 {
            let is_leaf_lighter =
                leaf < leaves.len() && (joint == weights.len() || weights[leaf] <= weights[joint]);
            let lightest = if is_leaf_lighter { &mut leaf } else { &mut joint };
            weight += weights[*lightest];
            parents[*lightest] = weights.len();
            *lightest += 1;
        }
        weights.push(weight);
    }

    // The last joint is the root; each other node is one bit longer than its parent.
    let mut depths = vec![0_u8; weights.len()];
    for node in (0..weights.len() - 1).rev() {
        depths[node] = depths[parents[node]] + 1;
    }
    let mut lengths = [0; N];
    for (node, &symbol) in leaves.iter().enumerate() {
        lengths[symbol] = depths[node];
    }
    lengths
}

/// RFC 1951, 3.2.2: codes of one length count up in the order of their symbols.
fn canonical_codes<const N: usize>(lengths: &[u8; N]) -> [u16; N] {
    let mut next = 0_u16;
    let mut codes = [0; N];
    for length in 1..=15 {
        next <<= 1;
        for symbol in (0..N).filter(|&symbol| lengths[symbol] == length) {
            codes[symbol] = next.reverse_bits() >> (16 - length);
            next += 1;
        }
    }
    codes
}

/// Bits packed from the lowest of each byte.
pub struct BitWriter {
    bytes: Vec<u8>,
    pending: u64,
    pending_bits: u32,
}

impl BitWriter {
    pub fn new(header: [u8; 2], capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(capacity);
        bytes.extend_from_slice(&header);
        Self { bytes, pending: 0, pending_bits: 0 }
    }

    /// Adds the lowest `count` bits of `value`; the others must be 0.
    #[inline]
    pub fn push(&mut self, value: u32, count: u32) {
        self.add(value, count);
        self.flush();
    }

    #[inline]
    pub fn push_code<const N: usize>(&mut self, codes: &Codes<N>, symbol: usize) {
        self.push(codes.codes[symbol].into(), codes.lengths[symbol].into());
    }

    /// Adds each byte as the symbol of its own number.
    pub fn push_bytes<const N: usize>(&mut self, codes: &Codes<N>, bytes: &[u8]) {
        // Two codes of 15 bits always fit beside the 31 that may be pending.
        for pair in bytes.chunks(2) {
            for &byte in pair {
                self.add(codes.codes[usize::from(byte)].into(), codes.lengths[usize::from(byte)].into());
            }
            self.flush();
        }
    }

    #[inline]
    fn add(&mut self, value: u32, count: u32) {
        self.pending |= u64::from(value) << self.pending_bits;
        self.pending_bits += count;
    }

    #[inline]
    fn flush(&mut self) {
        if self.pending_bits >= 32 {
            self.bytes.extend_from_slice(&(self.pending as u32).to_le_bytes());
            self.pending >>= 32;
            self.pending_bits -= 32;
        }
    }

    /// The bytes, the last one filled up with zeros.
    pub fn finish(mut self) -> Vec<u8> {
        let last = self.pending.to_le_bytes();
        self.bytes.extend_from_slice(&last[..(self.pending_bits as usize + 7) / 8]);
        self.bytes
    }
}
