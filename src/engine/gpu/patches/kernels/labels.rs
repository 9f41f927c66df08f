//! Classes of positions, by their rank along a direction of a guide.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

use super::{Sizes, UNITS};
use crate::engine::tables::CLASSES;

/// Words of a block of the ChaCha stream.
const BLOCK_WORDS: usize = 16;

/// Words that address the noise of a bank: the key, the stream, and the number of the first position's word. Each stands as
/// two numbers, of its lower and its upper 16 bits.
pub(crate) const NOISE_WORDS: usize = 11;

/// Places in a split after its direction: the scores at the borders between classes, the width of the noise, and its words.
const WIDTH: usize = CLASSES - 1;
const NOISE: usize = WIDTH + 1;

/// A uniform deviate of 24 bits for one of them.
const UNIFORM: f32 = 1.0 / 16_777_216.0;

/// Numbers of a split after its direction.
pub(in crate::engine::gpu::patches) const AFTER_DIRECTION: usize = NOISE + 2 * NOISE_WORDS;

/// What positions are labelled by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Labelling {
    /// By a guide, with or without noise.
    pub(in crate::engine::gpu::patches) guided: bool,
    pub(in crate::engine::gpu::patches) noisy: bool,
    /// By a mask.
    pub(in crate::engine::gpu::patches) masked: bool,
}

impl Labelling {
    /// Classes of positions inside of the mask.
    pub(in crate::engine::gpu::patches) fn classes(self) -> usize {
        if self.guided { CLASSES } else { 1 }
    }
}

/// A guide's size, and where its pixels are.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
pub(in crate::engine::gpu::patches) struct GuideSizes {
    pub(in crate::engine::gpu::patches) height: u32,
    pub(in crate::engine::gpu::patches) width: u32,
    /// Pixels of the picture for each of the guide, along both axes.
    pub(in crate::engine::gpu::patches) step: u32,
    /// From a position to the pixel in the middle of its patch.
    pub(in crate::engine::gpu::patches) middle: u32,
}

/// A word that addresses the noise.
#[cube]
fn noise_word(splits: &Tensor<f32>, first: usize, word: usize) -> u32 {
    let low = u32::cast_from(splits[first + 2 * word]);
    low | (u32::cast_from(splits[first + 2 * word + 1]) << 16)
}

#[cube]
fn rotated(word: u32, #[comptime] bits: u32) -> u32 {
    (word << bits) | (word >> comptime!(32 - bits))
}

#[cube]
fn quarter_round(
    words: &mut Array<u32>,
    #[comptime] a: usize,
    #[comptime] b: usize,
    #[comptime] c: usize,
    #[comptime] d: usize,
) {
    words[a] += words[b];
    words[d] = rotated(words[d] ^ words[a], 16u32);
    words[c] += words[d];
    words[b] = rotated(words[b] ^ words[c], 12u32);
    words[a] += words[b];
    words[d] = rotated(words[d] ^ words[a], 8u32);
    words[c] += words[d];
    words[b] = rotated(words[b] ^ words[c], 7u32);
}

/// Writes block number `block` of a bank's ChaCha stream with eight rounds.
#[cube]
fn chacha(splits: &Tensor<f32>, first: usize, block: u32, words: &mut Array<u32>) {
    let mut start = Array::<u32>::new(BLOCK_WORDS);
    start[0] = 0x6170_7865u32;
    start[1] = 0x3320_646eu32;
    start[2] = 0x7962_2d32u32;
    start[3] = 0x6b20_6574u32;
    #[unroll]
    for word in 0..8usize {
        start[4 + word] = noise_word(splits, first, word);
    }
    start[12] = block;
    start[13] = 0u32;
    start[14] = noise_word(splits, first, 8usize);
    start[15] = noise_word(splits, first, 9usize);
    #[unroll]
    for word in 0..BLOCK_WORDS {
        words[word] = start[word];
    }
    for _ in 0..4usize {
        quarter_round(words, 0usize, 4usize, 8usize, 12usize);
        quarter_round(words, 1usize, 5usize, 9usize, 13usize);
        quarter_round(words, 2usize, 6usize, 10usize, 14usize);
        quarter_round(words, 3usize, 7usize, 11usize, 15usize);
        quarter_round(words, 0usize, 5usize, 10usize, 15usize);
        quarter_round(words, 1usize, 6usize, 11usize, 12usize);
        quarter_round(words, 2usize, 7usize, 8usize, 13usize);
        quarter_round(words, 3usize, 4usize, 9usize, 14usize);
    }
    #[unroll]
    for word in 0..BLOCK_WORDS {
        words[word] += start[word];
    }
}

/// The classes `[banks, rows, columns]` of a picture's positions, 0 for all if it is not `guided`:
///
/// ```text
/// score = direction . g(middle) + width (u - 1/2)          class = number of borders below the score
/// ```
///
/// `g` is the guide `[channels, height, width]` and `u` a uniform deviate of the bank's stream, one word for each
/// position. `splits` are direction, borders, width and words of the noise of each bank. Beyond its border the picture repeats
/// itself. Positions whose middle is 0 in the mask `[height, width]`, if it is `masked`, get the class after the last one.
/// A unit labels the positions whose words are in some of the `blocks` (first dimension) of the stream of a bank (second dimension).
#[cube(launch_unchecked, address_type = "dynamic")]
pub(in crate::engine::gpu::patches) fn classify(
    guide: &Tensor<f32>,
    splits: &Tensor<f32>,
    mask: &Tensor<f32>,
    output: &mut Tensor<f32>,
    sizes: &Sizes,
    guide_sizes: &GuideSizes,
    blocks: u32,
    #[comptime] channels: usize,
    #[comptime] labelling: Labelling,
) {
    let bank = CUBE_POS_Y as usize;
    let columns = sizes.columns as usize;
    let positions = sizes.rows as usize * columns;
    let split = bank * comptime!(channels + AFTER_DIRECTION);
    let noise = split + comptime!(channels + NOISE);
    let mut first_word = 0u32;
    if comptime!(labelling.noisy) {
        first_word = noise_word(splits, noise, comptime!(NOISE_WORDS - 1));
    }
    let first_block = first_word / comptime!(BLOCK_WORDS as u32);
    let mut words = Array::<u32>::new(BLOCK_WORDS);
    let mut own = CUBE_POS_X * comptime!(UNITS as u32) + UNIT_POS;
    while own < blocks {
        let block = first_block + own;
        if comptime!(labelling.noisy) {
            chacha(splits, noise, block, &mut words);
        }
        #[unroll]
        for word in 0..BLOCK_WORDS {
            let number = block * comptime!(BLOCK_WORDS as u32) + comptime!(word as u32);
            let position = (number - first_word) as usize;
            if number >= first_word && position < positions {
                let y = (position / columns + guide_sizes.middle as usize) % sizes.height as usize;
                let x = (position % columns + guide_sizes.middle as usize) % sizes.width as usize;
                let mut class = 0.0f32;
                if comptime!(labelling.guided) {
                    let row = y / guide_sizes.step as usize;
                    let column = x / guide_sizes.step as usize;
                    let mut score = 0.0f32;
                    #[unroll]
                    for channel in 0..channels {
                        let line = channel * guide_sizes.height as usize + row;
                        let value = guide[line * guide_sizes.width as usize + column];
                        score += splits[split + channel] * value;
                    }
                    if comptime!(labelling.noisy) {
                        let uniform = f32::cast_from(words[word] >> 8) * UNIFORM;
                        score += splits[split + comptime!(channels + WIDTH)] * (uniform - 0.5);
                    }
                    #[unroll]
                    for border in 0..comptime!(CLASSES - 1) {
                        class += select(score > splits[split + channels + border], 1.0f32, 0.0f32);
                    }
                }
                if comptime!(labelling.masked) {
                    let is_outside = mask[y * sizes.width as usize + x] < 0.5;
                    let outside = comptime!(labelling.classes() as f32);
                    class = select(is_outside, outside, class);
                }
                output[bank * positions + position] = class;
            }
        }
        own += CUBE_COUNT_X * comptime!(UNITS as u32);
    }
}
