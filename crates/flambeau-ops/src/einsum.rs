//! Einstein summation: a chain of batched matrix products, from the left.

use flambeau_core::{Result, Tensor, bail, check};

use crate::matmul::matmul;
use crate::view::{expand, permute, reshape, unsqueeze};

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
            let label = labels[i];
            let op = flambeau_core::view::ViewOp::Diagonal { offset: 0, dim1: i, dim2: j };
            t = flambeau_core::call::view(&op, &t)?;
            labels.remove(j);
            labels.remove(i);
            labels.push(label);
        } else {
            i += 1;
        }
    }
    Ok(Labelled { t, labels })
}

fn size_of(x: &Labelled, l: Label) -> Option<i64> {
    x.labels.iter().position(|&m| m == l).map(|i| x.t.sizes()[i])
}

/// Sums away labels that nobody needs any more.
fn sum_out(x: Labelled, keep: impl Fn(Label) -> bool) -> Result<Labelled> {
    let gone: Vec<i64> = (0..x.labels.len()).filter(|&i| !keep(x.labels[i])).map(|i| i as i64).collect();
    if gone.is_empty() {
        return Ok(x);
    }
    let t = crate::reduce::sum(&x.t, &gone, false)?;
    Ok(Labelled { t, labels: x.labels.iter().copied().filter(|&l| keep(l)).collect() })
}

/// Dimensions in the order of `want`; an absent label gets size one.
fn arranged(x: &Labelled, want: &[Label]) -> Result<Tensor> {
    let order: Vec<i64> = want.iter().filter_map(|l| x.labels.iter().position(|m| m == l)).map(|i| i as i64).collect();
    let mut t = permute(&x.t, &order)?;
    for (i, l) in want.iter().enumerate() {
        if !x.labels.contains(l) {
            t = unsqueeze(&t, i as i64)?;
        }
    }
    Ok(t)
}

/// One product of two operands, summing the labels that `later` does not need.
fn pair(a: Labelled, b: Labelled, output: &[Label], later: impl Fn(Label) -> bool) -> Result<Labelled> {
    let mut a = sum_out(a, |l| later(l) || b.labels.contains(&l))?;
    let mut b = sum_out(b, |l| later(l) || a.labels.contains(&l))?;
    // The operand whose own labels come last in the result is the second one: its columns lie together.
    let last = |x: &Labelled, y: &Labelled| {
        output.iter().rposition(|l| x.labels.contains(l) && !y.labels.contains(l) && size_of(x, *l) != Some(1))
    };
    let contracted = a.labels.iter().any(|&l| b.labels.contains(&l) && !later(l));
    if let (Some(i), Some(j)) = (last(&a, &b), last(&b, &a))
        && contracted
        && i > j
    {
        std::mem::swap(&mut a, &mut b);
    }
    let (mut batch, mut only_a, mut only_b, mut summed) = (vec![], vec![], vec![], vec![]);
    for &l in &a.labels {
        match size_of(&b, l) {
            None => only_a.push(l),
            // A size-one dimension broadcasts: it can be neither contracted nor multiplied blockwise.
            Some(n) if later(l) || n != size_of(&a, l).unwrap_or(n) => batch.push(l),
            Some(_) => summed.push(l),
        }
    }
    only_b.extend(b.labels.iter().copied().filter(|l| !a.labels.contains(l)));
    let common = |l: Label| size_of(&a, l).unwrap_or(1).max(size_of(&b, l).unwrap_or(1));
    let sizes = |ls: &[Label]| {
        ls.iter()
            .map(|&l| if size_of(&a, l) == Some(0) || size_of(&b, l) == Some(0) { 0 } else { common(l) })
            .collect::<Vec<i64>>()
    };
    let (sb, sa, sc, sk) = (sizes(&batch), sizes(&only_a), sizes(&only_b), sizes(&summed));
    let product = |s: &[i64]| s.iter().product::<i64>();
    let join = |x: &[Label], y: &[Label], z: &[Label]| [x, y, z].concat();
    let grow = |t: Tensor, s: [&[i64]; 3]| -> Result<Tensor> {
        let full = s.concat();
        reshape(&expand(&t, &full)?, &[product(s[0]), product(s[1]), product(s[2])])
    };
    let x = grow(arranged(&a, &join(&batch, &only_a, &summed))?, [&sb, &sa, &sk])?;
    let y = grow(arranged(&b, &join(&batch, &summed, &only_b))?, [&sb, &sk, &sc])?;
    let z = matmul(&x, &y)?;
    let z = Labelled { t: reshape(&z, &[sb, sa, sc].concat())?, labels: join(&batch, &only_a, &only_b) };
    sum_out(z, later)
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
    let mut rest = parts.into_iter();
    let Some(mut acc) = rest.next() else { bail!(Runtime, "einsum(): must provide at least one operand") };
    let mut rest: Vec<Labelled> = rest.collect();
    while !rest.is_empty() {
        let next = rest.remove(0);
        acc = pair(acc, next, &output, |l| output.contains(&l) || rest.iter().any(|r| r.labels.contains(&l)))?;
    }
    let acc = sum_out(acc, |l| output.contains(&l))?;
    arranged(&acc, &output)
}
