use super::*;
use crate::kernels::{Compute, Forms};
use crate::layers::testing::{assert_near, numbers, numeric_gradient, sum_of_products, wide};

const ROWS: usize = 7;
const INPUTS: usize = 10;
const OUTPUTS: usize = 9;
const RANK: usize = 3;
const SCALE: f32 = 1.5;

/// `[x, A, B transposed]` and what does not move.
struct Reference {
    weight: Vec<f32>,
    mask: Vec<f32>,
}

impl Reference {
    /// From the definition, in f64.
    fn out(&self, [x, a, b]: [&[f64]; 3]) -> Vec<f64> {
        let mut out = Vec::new();
        for row in 0..ROWS {
            let x = &x[row * INPUTS..][..INPUTS];
            let mask = &self.mask[row * INPUTS..][..INPUTS];
            let z: Vec<f64> = a
                .chunks(INPUTS)
                .map(|a| {
                    let masked = x.iter().zip(mask).map(|(x, mask)| x * f64::from(*mask));
                    masked.zip(a).map(|(x, a)| x * a).sum()
                })
                .collect();
            for n in 0..OUTPUTS {
                let weight = &self.weight[n * INPUTS..][..INPUTS];
                let frozen: f64 = x.iter().zip(weight).map(|(x, w)| x * f64::from(*w)).sum();
                let branch: f64 = z.iter().enumerate().map(|(r, z)| z * b[r * OUTPUTS + n]).sum();
                out.push(frozen + f64::from(SCALE) * branch);
            }
        }
        out
    }
}

/// Numbers in all forms.
fn activations(isa: Isa, numbers: &[f32], width: usize) -> Activations {
    let mut made = Activations::default();
    let shape = [numbers.len() / width, width];
    made.make((isa, Compute::F32), shape, Forms::BOTH.and_numbers(true), |rows, to| {
        to.copy_from_slice(&numbers[rows.start * width..rows.end * width]);
    });
    made
}

fn check(isa: Isa, dropout: Option<Dropout>) {
    let (weight, x) = (numbers(OUTPUTS * INPUTS, 1), numbers(ROWS * INPUTS, 2));
    let (a, b) = (numbers(RANK * INPUTS, 3), numbers(RANK * OUTPUTS, 4));
    let dout = numbers(ROWS * OUTPUTS, 5);
    let mut mask = vec![1.0; ROWS * INPUTS];
    if let Some(dropout) = dropout {
        dropout.forward(&vec![1.0; ROWS * INPUTS], &mut mask);
        assert!(mask.contains(&0.0));
    }
    let linear = Linear::new(isa, Compute::F32, &weight, INPUTS);
    let reference = Reference { weight, mask };
    let factors = Factors::new(isa, Compute::F32, RANK, [a.clone(), b.clone()]);
    let branch = Branch { factors: &factors, scale: SCALE, dropout };
    let (mut z, mut masked) = (Activations::default(), Buffer::default());
    let mut out = vec![0.0; ROWS * OUTPUTS];
    let (to, mut words) = (Output::to(&mut out, OUTPUTS), Buffer::default());
    let input = Input::new((isa, Compute::F32), (&x, INPUTS), &mut words);
    let projection = Forward { linear: &linear, branch: Some(branch), z: &mut z };
    forward(isa, projection, input, &mut masked, to);
    let (x_64, a_64, b_64) = (wide(&x), wide(&a), wide(&b));
    assert_near(&out, &reference.out([&x_64, &a_64, &b_64]));

    let mut pair = Pair { a: vec![0.0; a.len()], b: vec![0.0; b.len()] };
    let mut dx = vec![0.0; x.len()];
    let (made, mut scratch) = (activations(isa, &dout, OUTPUTS), Scratch::default());
    let part = Backward { linear: &linear, branch: Some((branch, &mut pair)), dout: &made, z: &z };
    let set = &mut [part];
    backward(isa, set, &mut scratch, Some(&mut dx));
    backward_inner(isa, set, &activations(isa, &x, INPUTS), &mut scratch);
    let loss = |parts: [&[f64]; 3]| sum_of_products(&reference.out(parts), &dout);
    assert_near(&dx, &numeric_gradient(&x_64, |x| loss([x, &a_64, &b_64])));
    assert_near(&pair.a, &numeric_gradient(&a_64, |a| loss([&x_64, a, &b_64])));
    assert_near(&pair.b, &numeric_gradient(&b_64, |b| loss([&x_64, &a_64, b])));
}

/// What two projections' products make, block by block, is what they make one after another.
fn check_blocks(isa: Isa, compute: Compute, dropout: Option<Dropout>) {
    let runs = (isa, compute);
    let linear = |seed| Linear::new(isa, compute, &numbers(OUTPUTS * INPUTS, seed), INPUTS);
    let (linears, x) = ([1, 2].map(linear), numbers(ROWS * INPUTS, 3));
    let factors = [4, 5].map(|seed| {
        let (a, b) = (numbers(RANK * INPUTS, seed), numbers(RANK * OUTPUTS, seed + 2));
        Factors::new(isa, compute, RANK, [a, b])
    });
    let branch = |index: usize| Branch { factors: &factors[index], scale: SCALE, dropout };
    let (mut words, mut masked) = (Buffer::default(), Buffer::default());
    let input = Input::new(runs, (&x, INPUTS), &mut words);
    let [mut z, mut z_apart, mut z_beside] = [(); 3].map(|()| Activations::default());
    let outs = [0, 1].map(|index| {
        let mut out = vec![0.0; ROWS * OUTPUTS];
        let branch = Some(branch(index));
        let projection = Forward { linear: &linears[index], branch, z: &mut z };
        forward(isa, projection, input, &mut masked, Output::to(&mut out, OUTPUTS));
        out
    });
    let mut expected = Activations::default();
    let differences: Vec<f32> = outs[0].iter().zip(&outs[1]).map(|(a, b)| a - b).collect();
    expected.copy(runs, (&differences, OUTPUTS), Forms::BOTH.and_numbers(true));
    let mut made = Activations::default();
    let both = [
        Forward { linear: &linears[0], branch: Some(branch(0)), z: &mut z_apart },
        Forward { linear: &linears[1], branch: Some(branch(1)), z: &mut z_beside },
    ];
    let matrices = [(&mut made, Forms::BOTH.and_numbers(true))];
    forward_into(runs, both, (input, &mut masked), matrices, |_, [a, b], [made]| {
        for (made, (a, b)) in made.iter_mut().zip(a.iter().zip(b)) {
            *made = a - b;
        }
    });
    assert_eq!(made.numbers(), expected.numbers(), "{} {compute}", isa.name());
    let squares = [&z, &z_beside].map(|z| {
        let mut out = vec![0.0; RANK * RANK];
        let term = Term { left: z.left_transposed(), right: z.right() };
        gemm(isa, RANK, &[term], Output::to(&mut out, RANK));
        out
    });
    assert_eq!(squares[0], squares[1]);

    let mut gradients =
        [(); 2].map(|()| Pair { a: vec![0.0; RANK * INPUTS], b: vec![0.0; RANK * OUTPUTS] });
    let [plain, blocks] = &mut gradients;
    let part = |pair| {
        let branch = Some((branch(1), pair));
        [Backward { linear: &linears[1], branch, dout: &made, z: &z }]
    };
    let (mut scratch, mut dx) = (Scratch::default(), vec![0.0; ROWS * INPUTS]);
    backward(isa, &mut part(plain), &mut scratch, Some(&mut dx));
    let mut into = Activations::default();
    let matrices = ([(&mut into, Forms::RIGHT.and_numbers(true))], &[][..]);
    backward_into(runs, &mut part(blocks), &mut scratch, matrices, |_, [dx], [to]| {
        to.copy_from_slice(dx);
    });
    for (found, expected) in into.numbers().iter().zip(&dx) {
        // With dropout the masked part is added in another order.
        let near = (found - expected).abs() < 1e-5 * (1.0 + expected.abs());
        assert!(near, "{} {compute}: {found} {expected}", isa.name());
    }
    assert_eq!(gradients[0], gradients[1]);
}

#[test]
fn block_by_block_the_products_are_those_of_whole_matrices() {
    for isa in Isa::available() {
        for compute in [Compute::F32, Compute::Bf16] {
            check_blocks(isa, compute, None);
            check_blocks(isa, compute, Some(Dropout::new(11, 0.3)));
        }
    }
}

#[test]
fn forward_and_backward_are_those_of_the_formula() {
    for isa in Isa::available() {
        check(isa, None);
    }
}

#[test]
fn they_are_with_dropout_too() {
    for isa in Isa::available() {
        check(isa, Some(Dropout::new(11, 0.3)));
    }
}

#[test]
fn several_projections_of_one_input_add_their_gradients() {
    let isa = Isa::best();
    let x = numbers(ROWS * INPUTS, 1);
    let linear = |seed| Linear::new(isa, Compute::F32, &numbers(OUTPUTS * INPUTS, seed), INPUTS);
    let linears = [2, 3].map(linear);
    let douts = [4, 5].map(|seed| activations(isa, &numbers(ROWS * OUTPUTS, seed), OUTPUTS));
    let z = Activations::default();
    let gradient = |parts: &[usize]| {
        let mut set: Vec<_> = parts
            .iter()
            .map(|part| Backward {
                linear: &linears[*part],
                branch: None,
                dout: &douts[*part],
                z: &z,
            })
            .collect();
        let mut dx = vec![0.0; x.len()];
        backward(isa, &mut set, &mut Scratch::default(), Some(&mut dx));
        dx
    };
    let apart = [gradient(&[0]), gradient(&[1])];
    let sum: Vec<f64> =
        apart[0].iter().zip(&apart[1]).map(|(a, b)| f64::from(*a) + f64::from(*b)).collect();
    assert_near(&gradient(&[0, 1]), &sum);
}
