//! Einstein summation: a chain of batched matrix products, from the left. The steps are PyTorch's, so that the graph is.

use flambeau_core::call::view_named;
use flambeau_core::layout::Dims;
use flambeau_core::op::Params;
use flambeau_core::view::ViewOp;
use flambeau_core::{Result, Tensor, bail, call1, check};

use crate::matmul::bmm;
use crate::view::{reshape, view};

/// A label: a letter, or a dimension under the ellipsis.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
enum Label {
    Dot(usize),
    Letter(char),
}

/// An operand whose dimensions carry labels, each at most once.
struct Labelled {
    t: Tensor,
    labels: Vec<Label>,
}

fn parse(term: &str, ndim: usize, what: usize) -> Result<Vec<Label>> {
    let text: String = term.chars().filter(|c| !c.is_whitespace()).collect();
    let letters = text.replace("...", "");
    for c in letters.chars() {
        check!(
            c.is_ascii_alphabetic(),
            Runtime,
            "einsum(): invalid subscript given at index {what} in the equation string, subscripts must be in [a-zA-Z]"
        );
    }
    let n = letters.chars().count();
    let Some((before, after)) = text.split_once("...") else {
        check!(
            n == ndim,
            Runtime,
            "einsum(): the number of subscripts in the equation ({n}) does not match the number of dimensions ({ndim}) for operand {what} and no ellipsis was given"
        );
        return Ok(text.chars().map(Label::Letter).collect());
    };
    check!(
        n <= ndim,
        Runtime,
        "einsum(): the number of subscripts in the equation ({n}) is more than the number of dimensions ({ndim}) for operand {what}"
    );
    let dots = ndim - n;
    // Ellipsis dimensions align from the right: the last one is Dot(0).
    Ok(before
        .chars()
        .map(Label::Letter)
        .chain((0..dots).rev().map(Label::Dot))
        .chain(after.chars().map(Label::Letter))
        .collect())
}

/// Takes the diagonal where a label repeats.
fn distinct(mut t: Tensor, mut labels: Vec<Label>, what: usize) -> Result<Labelled> {
    let mut i = 0;
    while i < labels.len() {
        if let Some(j) = (i + 1..labels.len()).find(|&j| labels[j] == labels[i]) {
            check!(
                t.sizes()[i] == t.sizes()[j],
                Runtime,
                "einsum(): subscript is repeated for operand {what} but the sizes don't match, {} != {}",
                t.sizes()[j],
                t.sizes()[i]
            );
            t = flambeau_core::call::view(&ViewOp::Diagonal { offset: 0, dim1: i, dim2: j }, &t)?;
            // The diagonal comes last; it belongs where its label was first.
            let mut order: Vec<i64> = (0..t.ndim() as i64 - 1).collect();
            order.insert(i, t.ndim() as i64 - 1);
            t = permute(&t, &order)?;
            labels.remove(j);
        } else {
            i += 1;
        }
    }
    Ok(Labelled { t, labels })
}

fn size_of(x: &Labelled, l: Label) -> Option<i64> {
    x.labels.iter().position(|&m| m == l).map(|i| x.t.sizes()[i])
}

fn permute(t: &Tensor, order: &[i64]) -> Result<Tensor> {
    view_named(&ViewOp::Permute(Dims::from_slice(order)), t, "PermuteBackward0")
}

/// Dimensions in the order of `want`; an absent label gets size one.
fn arranged(x: &Labelled, want: &[Label]) -> Result<Tensor> {
    let (mut t, mut next) = (x.t.clone(), x.labels.len() as i64);
    let mut order = Vec::with_capacity(want.len());
    for l in want {
        order.push(match x.labels.iter().position(|m| m == l) {
            Some(i) => i as i64,
            None => {
                t = flambeau_core::call::view(&ViewOp::Unsqueeze(t.ndim()), &t)?;
                next += 1;
                next - 1
            }
        });
    }
    permute(&t, &order)
}

/// One product of two operands of equal rank, summed over the dimensions `summed`, which keep size one.
fn pair(a: &Tensor, b: &Tensor, summed: &[usize]) -> Result<Tensor> {
    if summed.is_empty() {
        return crate::binary::mul(a, b);
    }
    let (mut a, mut b) = (a, b);
    let wide = |t: &Tensor, d: usize| t.sizes()[d] != 1;
    let kept =
        |f: &dyn Fn(usize) -> bool| -> Vec<usize> { (0..a.ndim()).filter(|d| !summed.contains(d) && f(*d)).collect() };
    let both = kept(&|d| wide(a, d) && wide(b, d));
    let mut only_a = kept(&|d| wide(a, d) && !wide(b, d));
    let mut only_b = kept(&|d| !wide(a, d));
    // The operand whose own dimensions come last in the result is the second one: its columns lie together.
    if let (Some(first), Some(last)) = (only_a.first(), only_b.last())
        && last < first
    {
        std::mem::swap(&mut a, &mut b);
        std::mem::swap(&mut only_a, &mut only_b);
    }
    let lengths = |t: &Tensor, ds: &[usize]| ds.iter().map(|&d| t.sizes()[d]).collect::<Vec<i64>>();
    let (sizes, rows, columns) = (lengths(a, &both), lengths(a, &only_a), lengths(b, &only_b));
    let product = |s: &[i64]| s.iter().product::<i64>();
    let (n, r, c, k) = (product(&sizes), product(&rows), product(&columns), product(&lengths(a, summed)));
    let order = |parts: [&[usize]; 4]| parts.concat().into_iter().map(|d| d as i64).collect::<Vec<i64>>();
    let x = reshape(&permute(a, &order([&both, &only_a, summed, &only_b]))?, &[n, r, k])?;
    let y = reshape(&permute(b, &order([&both, summed, &only_b, &only_a]))?, &[n, k, c])?;
    let z = call1(&bmm::OP, &[Some(&x), Some(&y)], Params::new())?;
    let places = order([&both, &only_a, summed, &only_b]);
    let mut back = vec![0; places.len()];
    for (i, &d) in places.iter().enumerate() {
        back[d as usize] = i as i64;
    }
    permute(&view(&z, &[sizes, rows, vec![1; summed.len()], columns].concat())?, &back)
}

/// Each label has one size in all operands, or size one.
fn check_sizes(parts: &[Labelled]) -> Result<()> {
    for (i, part) in parts.iter().enumerate() {
        for (&l, &n) in part.labels.iter().zip(part.t.sizes()) {
            let seen = parts[..i].iter().filter_map(|p| size_of(p, l)).find(|&n| n != 1).unwrap_or(1);
            let name = match l {
                Label::Letter(c) => c.to_string(),
                Label::Dot(_) => "...".into(),
            };
            check!(
                n == seen || n == 1 || seen == 1,
                Runtime,
                "einsum(): subscript {name} has size {n} for operand {i} which does not broadcast with previously seen size {seen}"
            );
        }
    }
    Ok(())
}

/// Evaluates an equation such as `bij,bjk->bik`; without `->` the result has the labels that occur once, in order.
pub fn einsum(equation: &str, operands: &[&Tensor]) -> Result<Tensor> {
    check!(!operands.is_empty(), Runtime, "einsum(): must provide at least one operand");
    let (left, right) = match equation.split_once("->") {
        Some((l, r)) => (l, Some(r)),
        None => (equation, None),
    };
    let terms: Vec<&str> = left.split(',').collect();
    if terms.len() != operands.len() {
        let more = if terms.len() < operands.len() { "more" } else { "fewer" };
        bail!(Runtime, "einsum(): {more} operands were provided than specified in the equation");
    }
    let mut parts = Vec::new();
    let mut seen: Vec<Label> = Vec::new();
    for (i, (term, t)) in terms.iter().zip(operands).enumerate() {
        let labels = parse(term, t.ndim(), i)?;
        seen.extend(&labels);
        parts.push(distinct((*t).clone(), labels, i)?);
    }
    let dots = seen.iter().filter_map(|l| if let Label::Dot(i) = l { Some(i + 1) } else { None }).max().unwrap_or(0);
    let output: Vec<Label> = match right {
        Some(r) => {
            let text: String = r.chars().filter(|c| !c.is_whitespace()).collect();
            let n = text.replace("...", "").len();
            let out = parse(&text, if text.contains("...") { n + dots } else { n }, operands.len())?;
            for (i, l) in out.iter().enumerate() {
                if let Label::Letter(c) = l {
                    check!(
                        seen.contains(l),
                        Runtime,
                        "einsum(): output subscript {c} does not appear in the equation for any input operand"
                    );
                    check!(
                        !out[..i].contains(l),
                        Runtime,
                        "einsum(): output subscript {c} appears more than once in the output"
                    );
                }
            }
            out
        }
        None => {
            let mut once: Vec<Label> = seen
                .iter()
                .copied()
                .filter(|l| {
                    matches!(l, Label::Letter(_))
                        && terms.iter().flat_map(|t| t.chars()).filter(|c| Label::Letter(*c) == *l).count() == 1
                })
                .collect();
            once.sort();
            once.dedup();
            (0..dots).rev().map(Label::Dot).chain(once).collect()
        }
    };
    check_sizes(&parts)?;
    // Every operand gets all dimensions: the result's in its order, then those that are summed, by label.
    let mut gone: Vec<Label> = seen.iter().copied().filter(|l| !output.contains(l)).collect();
    gone.sort();
    gone.dedup();
    let all = [output.as_slice(), &gone].concat();
    let ts: Vec<Tensor> = parts.iter().map(|part| arranged(part, &all)).collect::<Result<_>>()?;
    let summed: Vec<usize> = (output.len()..all.len()).collect();
    // In how many operands that are still to come a dimension is more than one long.
    let mut uses: Vec<usize> = (0..all.len()).map(|d| ts.iter().filter(|t| t.sizes()[d] != 1).count()).collect();
    let several = ts.len() > 1;
    let mut rest = ts.into_iter();
    let Some(mut acc) = rest.next() else { bail!(Runtime, "einsum(): must provide at least one operand") };
    for next in rest {
        let (mut here, mut in_acc, mut in_next) = (vec![], vec![], vec![]);
        for &d in &summed {
            match (acc.sizes()[d] != 1, next.sizes()[d] != 1) {
                (true, true) => {
                    uses[d] -= 1;
                    if uses[d] == 1 {
                        here.push(d);
                        uses[d] = 0;
                    }
                }
                (true, false) if uses[d] == 1 => in_acc.push(d as i64),
                (false, true) if uses[d] == 1 => in_next.push(d as i64),
                _ => {}
            }
        }
        in_acc.iter().chain(&in_next).for_each(|&d| uses[d as usize] = 0);
        let total = |t: Tensor, ds: &[i64]| if ds.is_empty() { Ok(t) } else { crate::reduce::sum(&t, ds, true) };
        acc = pair(&total(acc, &in_acc)?, &total(next, &in_next)?, &here)?;
    }
    if summed.is_empty() {
        return Ok(acc);
    }
    if several {
        // What there was to sum has been summed.
        let sizes = acc.sizes()[..output.len()].to_vec();
        return view(&acc, &sizes);
    }
    crate::reduce::sum(&acc, &summed.iter().map(|&d| d as i64).collect::<Vec<_>>(), false)
}
