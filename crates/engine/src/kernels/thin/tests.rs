use super::*;
use crate::kernels::bf16::{narrow, widen};
use crate::kernels::{Compute, Left, Right, Term, gemm};
use crate::layers::testing::{assert_within, numbers};
use crate::quant::{TensorType, dequantise};

const DEPTH: usize = 512;
const COLUMNS: usize = 83;
const RANK: usize = 3;

/// Bytes of `COLUMNS` rows of `DEPTH` numbers whose scales are small and of both signs.
fn stored(kind: TensorType) -> Vec<u8> {
    let size = COLUMNS * DEPTH / kind.block_len() * kind.block_bytes();
    let mut bytes: Vec<u8> =
        (0..size).map(|i| u8::try_from((i * i + i / 7) % 251).unwrap()).collect();
    for (index, block) in bytes.chunks_exact_mut(kind.block_bytes()).enumerate() {
        let scale = half::f16::from_f32((index % 17) as f32 * 1e-3 - 8e-3).to_le_bytes();
        let at = if kind == TensorType::Q6K { 208 } else { 0 };
        block[at..at + 2].copy_from_slice(&scale);
        if matches!(kind, TensorType::Q4_1 | TensorType::Q4K) {
            block[2..4].copy_from_slice(&half::f16::from_f32(-0.011).to_le_bytes());
        }
    }
    bytes
}

fn branch(row: usize) -> Option<[Vec<f32>; 2]> {
    (row % 3 != 1).then(|| [numbers(RANK, row as u64), numbers(RANK * COLUMNS, 7 + row as u64)])
}

/// Some rows at once: sums with branches, added to ones.
fn product(isa: Isa, weight: Weight<'_>, x: &[f32], rows: Range<usize>) -> Vec<f32> {
    let branches: Vec<_> = rows.clone().map(branch).collect();
    let further =
        branches.iter().map(|branch| branch.as_ref().map(|[z, b]| Further { z, b })).collect();
    let mut out = vec![1.0; rows.len() * COLUMNS];
    let x = &x[rows.start * DEPTH..];
    let product = Thin { weight, x, further, out: Output::add(&mut out, COLUMNS) };
    thin(isa, rows.len(), vec![product]);
    out
}

/// The same by the product of many rows, a row at a time.
fn expected(isa: Isa, packed: &Packed, x: &[f32], rows: usize) -> Vec<f32> {
    let mut out = vec![1.0; rows * COLUMNS];
    for (row, out) in out.chunks_exact_mut(COLUMNS).enumerate() {
        let left = Left::rows(&x[row * DEPTH..], DEPTH);
        let mut terms = vec![Term { left, right: Right::packed(packed) }];
        let branch = branch(row);
        if let Some([z, b]) = &branch {
            terms.push(Term { left: Left::rows(z, RANK), right: Right::rows(b, RANK, COLUMNS) });
        }
        gemm(isa, 1, &terms, Output::add(out, COLUMNS));
    }
    out
}

#[test]
fn a_row_has_the_bits_of_the_product_of_many_rows_however_the_weight_is_held() {
    let rows = 6;
    let x = numbers(rows * DEPTH, 3);
    for isa in Isa::available() {
        for kind in
            [TensorType::Q8_0, TensorType::Q4_0, TensorType::Q4_1, TensorType::Q4K, TensorType::Q6K]
        {
            let bytes = stored(kind);
            let numbers = dequantise(kind, &bytes);
            let packed = Packed::transposed(isa, &numbers, DEPTH);
            let blocks = Blocks::transposed(isa, kind, &bytes, COLUMNS).expect("it has blocks");
            let expected = expected(isa, &packed, &x, rows);
            for weight in [Weight::Packed(&packed), Weight::Blocks(&blocks)] {
                let found = product(isa, weight, &x, 0..rows);
                assert!(found == expected, "{} {kind:?}", isa.name());
                for row in 0..rows {
                    let alone = product(isa, weight, &x, row..row + 1);
                    assert!(alone == found[row * COLUMNS..][..COLUMNS], "row {row}");
                }
            }
            assert!(blocks.size_bytes() * 3 < packed.size_bytes());
        }
    }
}

#[test]
fn a_weight_in_bf16_is_summed_as_its_rounded_numbers_are() {
    // An odd depth, whose last number stands alone in its pair; every number of rows that a tile can have.
    let (rows, depth) = (6, 71);
    let (x, weight) = (numbers(rows * depth, 3), numbers(depth * COLUMNS, 4));
    let rounded = |number: &f32| f64::from(widen(narrow(*number)));
    let column = |row: &[f32], column: usize| {
        let weights = weight[column..].iter().step_by(COLUMNS);
        row.iter().zip(weights).map(|(x, weight)| rounded(x) * rounded(weight)).sum::<f64>()
    };
    let plain: Vec<f64> = x
        .chunks_exact(depth)
        .flat_map(|row| (0..COLUMNS).map(move |index| column(row, index)))
        .collect();
    for isa in Isa::available() {
        let mut packed = Packed::zeros(isa, Compute::Bf16, [depth, COLUMNS]);
        packed.fill(&weight, [COLUMNS, 1]);
        let product = |rows: Range<usize>| {
            let mut out = vec![f32::NAN; rows.len() * COLUMNS];
            let (x, to) = (&x[rows.start * depth..], Output::to(&mut out, COLUMNS));
            let weight = Weight::Packed(&packed);
            thin(isa, rows.len(), vec![Thin { weight, x, further: Vec::new(), out: to }]);
            out
        };
        let found = product(0..rows);
        assert_within(&found, &plain, 1e-6);
        for count in 1..rows {
            assert!(product(0..count) == found[..count * COLUMNS], "{} {count}", isa.name());
        }
        let mut many = vec![f32::NAN; found.len()];
        let term = Term { left: Left::rows(&x, depth), right: Right::packed(&packed) };
        gemm(isa, rows, &[term], Output::to(&mut many, COLUMNS));
        assert!(found == many, "{}", isa.name());
    }
}

#[test]
fn several_products_and_any_number_of_threads_give_the_same_bits() {
    let isa = Isa::best();
    let x = numbers(2 * 700, 1);
    let weights: Vec<Packed> = [90_usize, 130, 170]
        .into_iter()
        .zip(2..)
        .map(|(columns, seed)| Packed::transposed(isa, &numbers(700 * columns, seed), 700))
        .collect();
    let run = || {
        let mut outs: Vec<Vec<f32>> =
            weights.iter().map(|weight| vec![0.0; 2 * weight.column_count()]).collect();
        let products = weights.iter().zip(&mut outs).map(|(weight, out)| {
            let out = Output::to(out, weight.column_count());
            Thin { weight: Weight::Packed(weight), x: &x, further: Vec::new(), out }
        });
        thin(isa, 2, products.collect());
        outs
    };
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let one = pool(1).install(run);
    assert_eq!(one, pool(2).install(run));
    assert_eq!(one, pool(3).install(run));
}
