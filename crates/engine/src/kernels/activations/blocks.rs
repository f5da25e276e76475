//! Activations of sums of products, made block by block before the sums leave the cache.

use super::{Activations, Forms};
use crate::kernels::ahead;
use crate::kernels::bf16::{Pairs, Widen};
use crate::kernels::gemm::{Place, Sum, gemm_blocks};
use crate::kernels::shared::Shared;
use crate::kernels::{Compute, Isa};
use crate::parallel;

/// Makes several matrices `[T, N]` anew of sums of products: `f` is given a place and the sums' numbers there, row after
/// row, and writes those of each matrix.
///
/// What `f` reads of `others` is fetched while the sums are made, and so is where the results go: both lie apart in
/// memory, in an order that no processor guesses.
pub(crate) fn make_of<const P: usize, const N: usize>(
    matrices: [(&mut Activations, Forms); N],
    (isa, compute): (Isa, Compute),
    shape: [usize; 2],
    (sums, others): (&[Sum<'_>; P], &[&Activations]),
    f: impl Fn(&Place, [&[f32]; P], [&mut [f32]; N]) + Send + Sync,
) {
    let lent = matrices.map(|(matrix, forms)| matrix.lend(compute, shape, forms));
    let fetch = |place: &Place| {
        for other in others {
            other.fetch(place);
        }
        for lent in &lent {
            lent.fetch(place);
        }
    };
    gemm_blocks(isa, shape[0], sums, fetch, |place, sums| {
        let size = place.rows.len() * place.columns.len();
        parallel::with_numbers(N * size, |numbers| {
            let mut parts = numbers.chunks_exact_mut(size);
            let mut made: [&mut [f32]; N] =
                std::array::from_fn(|_| parts.next().unwrap_or_default());
            let sums = sums.each_ref().map(|sum| &**sum);
            f(place, sums, made.each_mut().map(|made| &mut **made));
            for (lent, made) in lent.iter().zip(made) {
                lent.put(isa, place, made);
            }
        });
    });
}

impl Activations {
    /// The numbers of a block, row after row: as they are, or from a left operand's pairs.
    pub(crate) fn block(&self, isa: Isa, place: &Place, to: &mut [f32]) {
        let wide = place.columns.len();
        if self.compute == Compute::F32 {
            let rows = self.numbers[place.start(self.width)..].chunks(self.width);
            for (to, from) in to.chunks_exact_mut(wide).zip(rows) {
                to.copy_from_slice(&from[..wide]);
            }
            return;
        }
        let stride = self.width.div_ceil(2);
        let from = &self.along_rows[place.rows.start * stride + place.columns.start / 2..];
        isa.run(Widen { from, stride, width: wide, to });
    }

    /// Fetches what [`Activations::block`] reads.
    fn fetch(&self, Place { rows, columns }: &Place) {
        let (stride, words) = (self.width.div_ceil(2), columns.start / 2..columns.end.div_ceil(2));
        for row in rows.clone() {
            if self.compute == Compute::F32 {
                ahead::to_read(&self.numbers[row * self.width..][columns.clone()]);
            } else {
                ahead::to_read(&self.along_rows[row * stride..][words.clone()]);
            }
        }
    }

    /// Takes a shape and lends the memory of the forms to several threads.
    fn lend(&mut self, compute: Compute, shape: [usize; 2], forms: Forms) -> Lent<'_> {
        let [in_row, in_pair] = self.reshape(compute, shape, forms);
        let Self { width, numbers, along_rows, along_columns, .. } = self;
        Lent {
            numbers: (!numbers.is_empty()).then(|| Shared::new(numbers, *width)),
            along_rows: (!along_rows.is_empty()).then(|| Shared::new(along_rows, in_row)),
            along_columns: (!along_columns.is_empty()).then(|| Shared::new(along_columns, in_pair)),
        }
    }
}

/// A matrix that several threads write, in the forms that were asked for.
struct Lent<'a> {
    numbers: Option<Shared<'a, f32>>,
    along_rows: Option<Shared<'a, u32>>,
    along_columns: Option<Shared<'a, u32>>,
}

impl Lent<'_> {
    /// Fetches the memory of a block, to be written.
    fn fetch(&self, Place { rows, columns }: &Place) {
        let [in_rows, in_columns] = [rows, columns].map(|all| all.start / 2..all.end.div_ceil(2));
        if let Some(to) = &self.numbers {
            to.fetch(rows.clone(), columns.clone());
        }
        if let Some(to) = &self.along_rows {
            to.fetch(rows.clone(), in_columns);
        }
        if let Some(to) = &self.along_columns {
            to.fetch(in_rows, columns.clone());
        }
    }

    /// Brings a block to its place; nobody else has it.
    #[expect(unsafe_code, reason = "each block of a product is made once")]
    fn put(&self, isa: Isa, Place { rows, columns }: &Place, block: &[f32]) {
        let width = columns.len();
        if let Some(numbers) = &self.numbers {
            // SAFETY: `gemm_blocks` yields every place once.
            let mut to = unsafe { numbers.rectangle(rows.clone(), columns.clone()) };
            for (row, from) in block.chunks_exact(width).enumerate() {
                to.row(row).copy_from_slice(from);
            }
        }
        if self.along_rows.is_none() && self.along_columns.is_none() {
            return;
        }
        let [in_rows, in_columns] = [rows, columns].map(|all| all.start / 2..all.end.div_ceil(2));
        // SAFETY: as above; places begin with even rows and columns, so that no pair is of two of them.
        let [rows, columns] = unsafe {
            let rows = self.along_rows.as_ref().map(|to| to.rectangle(rows.clone(), in_columns));
            let pairs = self.along_columns.as_ref();
            [rows, pairs.map(|to| to.rectangle(in_rows, columns.clone()))]
        };
        isa.run(Pairs { from: block, width, rows, columns });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::bf16::{narrow, widen};
    use crate::kernels::{Left, Output, Packed, Right, Term, gemm};
    use crate::layers::testing::numbers;

    const DEPTH: usize = 20;

    fn run(isa: Isa, compute: Compute, rows: usize, width: usize) {
        let (runs, shape) = ((isa, compute), [rows, width]);
        let (x, base) = (numbers(rows * DEPTH, 1), numbers(rows * width, 2));
        let weights = [3, 4].map(|seed| {
            let mut weight = Packed::zeros(isa, compute, [DEPTH, width]);
            weight.fill(&numbers(DEPTH * width, seed), [width, 1]);
            weight
        });
        let term = |weight| Term { left: Left::rows(&x, DEPTH), right: Right::packed(weight) };
        let mut other = Activations::default();
        let exact = numbers(rows * width, 5);
        other.copy(runs, (&exact, width), Forms::LEFT);
        let all = Place { rows: 0..rows, columns: 0..width };
        let mut others = vec![f32::NAN; rows * width];
        other.block(isa, &all, &mut others);
        for (found, exact) in others.iter().zip(&exact) {
            let expected = if compute == Compute::F32 { *exact } else { widen(narrow(*exact)) };
            assert_eq!(found.to_bits(), expected.to_bits(), "{} {compute}", isa.name());
        }

        // Whole matrices, one after another.
        let [mut first, mut second] = [(); 2].map(|()| vec![0.0; rows * width]);
        gemm(isa, rows, &[term(&weights[0])], Output::to(&mut first, width));
        gemm(isa, rows, &[term(&weights[1])], Output::onto(&mut second, &base, width));
        let products: Vec<f32> = first.iter().zip(&second).map(|(a, b)| a * b).collect();
        let sums: Vec<f32> = first.iter().zip(&others).map(|(a, b)| a + b).collect();
        let [mut expected_products, mut expected_sums] = [(); 2].map(|()| Activations::default());
        expected_products.copy(runs, (&products, width), Forms::BOTH);
        expected_sums.copy(runs, (&sums, width), Forms::RIGHT.and_numbers(true));

        // The same, block by block, in memory that held another shape.
        let [mut made_products, mut made_sums] = [(); 2].map(|()| Activations::default());
        made_products.copy(runs, (&numbers(7 * 9, 6), 9), Forms::BOTH);
        let terms = |index: usize| vec![term(&weights[index])];
        let both =
            [Sum { terms: terms(0), base: None }, Sum { terms: terms(1), base: Some(&base[..]) }];
        let matrices =
            [(&mut made_products, Forms::BOTH), (&mut made_sums, Forms::RIGHT.and_numbers(true))];
        make_of(matrices, runs, shape, (&both, &[&other]), |place, [a, b], [products, sums]| {
            other.block(isa, place, sums);
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                products[index] = a * b;
                sums[index] += a;
            }
        });
        let words = |matrix: &Activations| {
            let pairs = matrix.along_columns.chunks(width.next_multiple_of(16));
            let pairs: Vec<u32> = pairs.flat_map(|row| row[..width].to_vec()).collect();
            (matrix.numbers.to_vec(), matrix.along_rows.to_vec(), pairs)
        };
        for (made, expected) in [(&made_products, &expected_products), (&made_sums, &expected_sums)]
        {
            assert_eq!(words(made), words(expected), "{} {compute} {rows} {width}", isa.name());
        }
    }

    #[test]
    fn block_by_block_they_have_the_bits_of_whole_matrices() {
        // Several panels and pieces of work, one of each, and what is left at both edges.
        for isa in Isa::available() {
            for compute in [Compute::F32, Compute::Bf16] {
                for (rows, width) in [(101, 2 * isa.panel() + 7), (48, isa.panel()), (1, 3)] {
                    run(isa, compute, rows, width);
                }
            }
        }
    }
}
