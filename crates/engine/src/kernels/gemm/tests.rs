use super::*;
use crate::kernels::{Compute, Packed, bf16};
use crate::layers::testing::{assert_near, numbers};

/// A product's operands as plain row-major matrices, `[M, K]` and `[K, N]`.
struct Product {
    a: Vec<f32>,
    b: Vec<f32>,
    depth: usize,
}

fn products(rows: usize, columns: usize, depths: &[usize]) -> Vec<Product> {
    depths
        .iter()
        .zip(0..)
        .map(|(depth, seed)| Product {
            a: numbers(rows * depth, seed),
            b: numbers(depth * columns, seed + 100),
            depth: *depth,
        })
        .collect()
}

/// The sum of products in f64, from the definition.
fn expected(rows: usize, columns: usize, products: &[Product]) -> Vec<f64> {
    let mut out = vec![0.0; rows * columns];
    for Product { a, b, depth } in products {
        for m in 0..rows {
            for k in 0..*depth {
                for n in 0..columns {
                    out[m * columns + n] +=
                        f64::from(a[m * depth + k]) * f64::from(b[k * columns + n]);
                }
            }
        }
    }
    out
}

#[test]
fn sums_of_products_are_right_for_every_shape_and_instruction_set() {
    let shapes: [(usize, usize, &[usize]); 7] = [
        (1, 1, &[1]),
        (7, 64, &[5]),
        (13, 70, &[33, 4]),
        (6, 129, &[16]),
        (3, 48, &[2500, 2]),
        (5, 80, &[7, 2049, 1]),
        (100, 200, &[64, 16]),
    ];
    for isa in Isa::available() {
        for (rows, columns, depths) in shapes {
            let products = products(rows, columns, depths);
            let packed: Vec<Packed> =
                products.iter().map(|product| Packed::rows(isa, &product.b, columns)).collect();
            let terms: Vec<Term<'_>> = products
                .iter()
                .zip(&packed)
                .map(|(product, packed)| Term {
                    left: Left::rows(&product.a, product.depth),
                    right: Right::packed(packed),
                })
                .collect();
            let expected = expected(rows, columns, &products);
            let mut out = vec![f32::NAN; rows * columns];
            gemm(isa, rows, &terms, Output::to(&mut out, columns));
            assert_near(&out, &expected);
            // The same from rows as they lie, on one thread, doubled and on top of what is there.
            let terms: Vec<Term<'_>> = products
                .iter()
                .map(|product| Term {
                    left: Left::rows(&product.a, product.depth),
                    right: Right::rows(&product.b, product.depth, columns),
                })
                .collect();
            gemm_serial(isa, rows, &terms, Output::add(&mut out, columns).scaled(2.0));
            assert_near(&out, &expected.iter().map(|x| 3.0 * x).collect::<Vec<_>>());
        }
    }
}

/// The products with operands of bf16.
fn rounded(products: &[Product]) -> Vec<Product> {
    let round = |numbers: &[f32]| numbers.iter().map(|x| bf16::widen(bf16::narrow(*x))).collect();
    products
        .iter()
        .map(|Product { a, b, depth }| Product { a: round(a), b: round(b), depth: *depth })
        .collect()
}

#[test]
fn products_in_bf16_are_those_of_the_rounded_numbers() {
    let shapes: [(usize, usize, &[usize]); 5] = [
        (1, 1, &[1, 1]),
        (7, 64, &[5, 3]),
        (13, 70, &[33, 4]),
        (5, 80, &[4101, 16]),
        (100, 200, &[64, 16]),
    ];
    for isa in Isa::available() {
        for (rows, columns, depths) in shapes {
            let products = products(rows, columns, depths);
            let narrow = |index: usize| {
                let mut packed = Packed::zeros(isa, Compute::Bf16, [depths[index], columns]);
                packed.fill(&products[index].b, [columns, 1]);
                packed
            };
            let [narrow, further] = [narrow(0), narrow(1)];
            // The first product's left operand, as rows and as columns.
            let turned = crate::lora::transpose(&products[0].a, depths[0]);
            let lefts = [Left::rows(&products[0].a, depths[0]), Left::transposed(&turned, rows)];
            let outs = lefts.map(|left| {
                let terms = [
                    Term { left, right: Right::packed(&narrow) },
                    Term {
                        left: Left::rows(&products[1].a, depths[1]),
                        right: Right::packed(&further),
                    },
                ];
                let mut out = vec![f32::NAN; rows * columns];
                gemm(isa, rows, &terms, Output::to(&mut out, columns));
                out
            });
            assert_eq!(outs[0], outs[1], "{}", isa.name());
            let first = rounded(&products);
            assert_near(&outs[0], &expected(rows, columns, &first));
            let back = narrow.transpose();
            let mut column = vec![0.0; columns];
            back.column(depths[0] / 2, &mut column);
            assert_eq!(column, first[0].b[depths[0] / 2 * columns..][..columns]);
        }
    }
}

#[test]
fn transposed_operands_are_read_where_they_lie() {
    let (rows, columns, depth) = (11, 40, 9);
    let products = products(rows, columns, &[depth]);
    let expected = expected(rows, columns, &products);
    let transpose = |matrix: &[f32], columns: usize| crate::lora::transpose(matrix, columns);
    for isa in Isa::available() {
        let a = transpose(&products[0].a, depth);
        let b = Packed::transposed(isa, &transpose(&products[0].b, columns), depth);
        let mut out = vec![0.0; rows * columns];
        let term = Term { left: Left::transposed(&a, rows), right: Right::packed(&b) };
        gemm(isa, rows, &[term], Output::to(&mut out, columns));
        assert_near(&out, &expected);
        let back = b.transpose();
        let mut column = vec![0.0; columns];
        back.column(3, &mut column);
        assert_eq!(column, products[0].b[3 * columns..4 * columns]);
    }
}

#[test]
fn a_sum_goes_onto_its_base_as_it_is_added_to_what_is_there() {
    for isa in Isa::available() {
        // Over one panel and over one pass, with an edge.
        let (rows, columns, depth) = (7, 2 * isa.panel() + 3, 4101);
        let products = products(rows, columns, &[depth]);
        let packed = Packed::rows(isa, &products[0].b, columns);
        let terms =
            [Term { left: Left::rows(&products[0].a, depth), right: Right::packed(&packed) }];
        let base = numbers(rows * columns, 3);
        let (mut onto, mut added) = (vec![f32::NAN; rows * columns], base.clone());
        gemm(isa, rows, &terms, Output::onto(&mut onto, &base, columns).scaled(0.5));
        gemm(isa, rows, &terms, Output::add(&mut added, columns).scaled(0.5));
        assert_eq!(onto, added, "{}", isa.name());
    }
}

#[test]
#[should_panic(expected = "products of two types in one sum")]
fn products_of_two_types_are_not_summed() {
    let (isa, a) = (Isa::best(), [0.0; 16]);
    let [wide, narrow] =
        [Compute::F32, Compute::Bf16].map(|compute| Packed::zeros(isa, compute, [8, 8]));
    let terms = [&wide, &narrow]
        .map(|matrix| Term { left: Left::rows(&a, 8), right: Right::packed(matrix) });
    gemm(isa, 2, &terms, Output::to(&mut [0.0; 16], 8));
}

#[test]
fn only_the_first_columns_are_written() {
    let isa = Isa::best();
    let width = isa.panel();
    let products = products(4, 2 * width + 3, &[8]);
    let packed = Packed::rows(isa, &products[0].b, 2 * width + 3);
    let mut out = vec![7.0; 4 * (2 * width + 3)];
    let right = Right::packed(&packed).first_columns(width);
    let term = Term { left: Left::rows(&products[0].a, 8), right };
    gemm(isa, 4, &[term], Output::to(&mut out, 2 * width + 3));
    assert!(
        out.chunks(2 * width + 3)
            .all(|row| row[width..].iter().all(|x| x.to_bits() == 7.0_f32.to_bits()))
    );
    assert!(out[..width].iter().all(|x| x.to_bits() != 7.0_f32.to_bits()));
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let products = products(300, 500, &[700, 16]);
    for isa in Isa::available() {
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut out = vec![0.0; 300 * 500];
            let terms: Vec<Term<'_>> = products
                .iter()
                .map(|product| Term {
                    left: Left::rows(&product.a, product.depth),
                    right: Right::rows(&product.b, product.depth, 500),
                })
                .collect();
            let mut narrow = Packed::zeros(isa, Compute::Bf16, [700, 500]);
            narrow.fill(&products[0].b, [500, 1]);
            let in_bf16 = [Term { right: Right::packed(&narrow), ..terms[0] }];
            pool.install(|| {
                gemm(isa, 300, &terms, Output::to(&mut out, 500));
                gemm(isa, 300, &in_bf16, Output::add(&mut out, 500));
            });
            out.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
        };
        assert_eq!(on(1), on(3));
    }
}

#[test]
#[should_panic(expected = "the left operand is too short")]
fn an_operand_that_is_too_short_is_refused() {
    let isa = Isa::best();
    let packed = Packed::rows(isa, &numbers(64, 1), 8);
    let mut out = vec![0.0; 16];
    let term = Term { left: Left::rows(&[0.0; 15], 8), right: Right::packed(&packed) };
    gemm(isa, 2, &[term], Output::to(&mut out, 8));
}
