//! Which instruction set the kernels run on, chosen when the program starts.

use super::simd::{Plain, Simd};

#[cfg(any(target_arch = "aarch64", test))]
use super::neon::Neon;
#[cfg(target_arch = "x86_64")]
use super::{avx2::Avx2, avx512::Avx512};

/// An instruction set that this processor has.
///
/// Results differ between instruction sets in the last bits (sums are taken in another order), never within one.
///
/// # Examples
///
/// ```
/// use engine::Isa;
///
/// let names: Vec<&str> = Isa::available().into_iter().map(Isa::name).collect();
/// assert_eq!(names[0], Isa::plain().name());
/// assert_eq!(names.last(), Some(&Isa::best().name()));
/// assert!(Isa::named("plain").is_some(), "every processor runs it");
/// assert!(Isa::named("sse9").is_none());
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Isa(Level);

#[derive(Debug, Clone, Copy)]
enum Level {
    Plain(Plain),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512<false>),
    #[cfg(target_arch = "x86_64")]
    Avx512Bf16(Avx512<true>),
    #[cfg(any(target_arch = "aarch64", test))]
    Neon(Neon),
}

/// Row work written once for every instruction set; `run` must be `#[inline(always)]` and use no closures.
pub(crate) trait Kernel {
    /// What the work yields.
    type Output;
    /// Does the work with `simd`'s vectors.
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

impl Isa {
    /// The fastest that this processor has.
    pub fn best() -> Self {
        Self::available().last().copied().unwrap_or(Self::plain())
    }

    /// Plain Rust, which every processor runs.
    pub fn plain() -> Self {
        Self(Level::Plain(Plain))
    }

    /// All that this processor has, the slowest first.
    pub fn available() -> Vec<Self> {
        let mut levels = vec![Level::Plain(Plain)];
        // In tests emulated where the processor has none, and never the last but where it has.
        #[cfg(any(target_arch = "aarch64", test))]
        levels.extend(Neon::detect().map(Level::Neon));
        #[cfg(target_arch = "x86_64")]
        levels.extend(Avx2::detect().map(Level::Avx2));
        #[cfg(target_arch = "x86_64")]
        levels.extend(Avx512::detect().map(Level::Avx512));
        #[cfg(target_arch = "x86_64")]
        levels.extend(Avx512::detect().map(Level::Avx512Bf16));
        levels.into_iter().map(Self).collect()
    }

    /// `plain`, `avx2`, `avx512`, `avx512bf16` or `neon`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Level::Plain(_) => "plain",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2(_) => "avx2",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512(_) => "avx512",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512Bf16(_) => "avx512bf16",
            #[cfg(any(target_arch = "aarch64", test))]
            Level::Neon(_) => "neon",
        }
    }

    /// Whether it multiplies bf16 faster than f32.
    pub(crate) fn prefers_bf16(self) -> bool {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512Bf16(_) => true,
            _ => false,
        }
    }

    /// The instruction set of this name, where the processor has it.
    pub fn named(name: &str) -> Option<Self> {
        Self::available().into_iter().find(|isa| isa.name() == name)
    }

    /// Does the work of `kernel` in this instruction set.
    #[cfg_attr(
        any(target_arch = "x86_64", target_arch = "aarch64"),
        expect(unsafe_code, reason = "enters a function compiled for the instruction set")
    )]
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            Level::Plain(simd) => kernel.run(simd),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the token in the level exists only where the processor has the instructions.
            Level::Avx2(simd) => unsafe { run_avx2(kernel, simd) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Level::Avx512(simd) => unsafe { run_avx512(kernel, simd) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Level::Avx512Bf16(simd) => unsafe { run_avx512_bf16(kernel, simd) },
            #[cfg(target_arch = "aarch64")]
            // SAFETY: as above.
            Level::Neon(simd) => unsafe { run_neon(kernel, simd) },
            #[cfg(all(test, not(target_arch = "aarch64")))]
            Level::Neon(simd) => kernel.run(simd),
        }
    }

    /// Numbers in one vector.
    pub(crate) fn lanes(self) -> usize {
        self.run(Sizes).0
    }

    /// Columns in a full panel of packed weights.
    pub(crate) fn panel(self) -> usize {
        let (lanes, vectors) = self.run(Sizes);
        lanes * vectors
    }
}

struct Sizes;

impl Kernel for Sizes {
    type Output = (usize, usize);
    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> (usize, usize) {
        (S::LANES, S::VECTORS)
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2<K: Kernel>(kernel: K, simd: Avx2) -> K::Output {
    kernel.run(simd)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx2,fma")]
fn run_avx512<K: Kernel>(kernel: K, simd: Avx512<false>) -> K::Output {
    kernel.run(simd)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16,avx2,fma")]
fn run_avx512_bf16<K: Kernel>(kernel: K, simd: Avx512<true>) -> K::Output {
    kernel.run(simd)
}

#[cfg(target_arch = "aarch64")]
#[target_feature(enable = "neon")]
fn run_neon<K: Kernel>(kernel: K, simd: Neon) -> K::Output {
    kernel.run(simd)
}
