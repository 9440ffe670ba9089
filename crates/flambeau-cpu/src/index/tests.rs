use crate::Cpu;
use crate::number::Complex;
use crate::testing::{Element, Owned, Rng, coordinates};
use flambeau_backend::{DType, ErrorKind};
use flambeau_backend::{Indexing, Raw, ScatterReduce};

fn shape(rng: &mut Rng, min: usize) -> Vec<i64> {
    (0..rng.range(min as i64, 4)).map(|_| rng.range(1, 5)).collect()
}

/// `at` with its coordinate `dim` replaced.
fn with(at: &[i64], dim: usize, v: i64) -> Vec<i64> {
    let mut at = at.to_vec();
    at[dim] = v;
    at
}

fn small_index(rng: &mut Rng, x: &[i64], dim: usize) -> Owned<i64> {
    let mut sizes: Vec<i64> = x.iter().map(|&n| rng.range(1, n)).collect();
    sizes[dim] = rng.range(0, 6);
    Owned::random(rng, &sizes, |r| r.range(0, x[dim] - 1))
}

fn gather_case<T: Element>(rng: &mut Rng, f: impl Fn(&mut Rng) -> T) {
    let sizes = shape(rng, 1);
    let dim = rng.below(sizes.len());
    let x = Owned::random(rng, &sizes, &f);
    let index = small_index(rng, &sizes, dim);
    let out = Owned::random(rng, &index.sizes, &f);
    Cpu.gather(x.raw(), index.raw(), out.raw(), dim).unwrap();
    for c in coordinates(&index.sizes) {
        assert_eq!(out.get(&c), x.get(&with(&c, dim, index.get(&c))));
    }
}

#[test]
fn gather_matches_the_definition() {
    let mut rng = Rng(1);
    for _ in 0..200 {
        gather_case(&mut rng, |r| r.next() as u8);
        gather_case(&mut rng, |r| r.next() as i16);
        gather_case(&mut rng, |r| r.next() as u32 as f32);
        gather_case(&mut rng, |r| r.next());
        gather_case(&mut rng, |r| Complex { re: r.next() as f64, im: 1.0 });
    }
}

impl Element for u32 {
    const DTYPE: DType = DType::U32;
}

fn combine(reduce: ScatterReduce, a: i64, b: i64) -> i64 {
    match reduce {
        ScatterReduce::Set => b,
        ScatterReduce::Add => a.wrapping_add(b),
        ScatterReduce::Mul => a.wrapping_mul(b),
        ScatterReduce::Amax => a.max(b),
        ScatterReduce::Amin => a.min(b),
    }
}

const REDUCES: [ScatterReduce; 5] =
    [ScatterReduce::Set, ScatterReduce::Add, ScatterReduce::Mul, ScatterReduce::Amax, ScatterReduce::Amin];

/// Small values, so that every type holds the results exactly.
fn scatter_case<T: Element>(rng: &mut Rng, to: impl Fn(i64) -> T, from: impl Fn(T) -> i64) {
    let sizes = shape(rng, 1);
    let dim = rng.below(sizes.len());
    let out = Owned::random(rng, &sizes, |r| to(r.range(0, 2)));
    let index = small_index(rng, &sizes, dim);
    let mut larger = index.sizes.clone();
    larger.iter_mut().for_each(|n| *n += rng.range(0, 2));
    let src = Owned::random(rng, &larger, |r| to(r.range(0, 2)));
    let reduce = REDUCES[rng.below(5)];
    let mut want = out.copy();
    for c in coordinates(&index.sizes) {
        let at = with(&c, dim, index.get(&c));
        want.set(&at, to(combine(reduce, from(want.get(&at)), from(src.get(&c)))));
    }
    Cpu.scatter(out.raw(), index.raw(), src.raw(), dim, reduce).unwrap();
    assert_eq!(out.values(), want.values(), "{reduce:?} {sizes:?} {dim}");
}

#[test]
fn scatter_matches_the_definition() {
    let mut rng = Rng(2);
    for _ in 0..300 {
        scatter_case(&mut rng, |v| v as u8, |v| v as i64);
        scatter_case(&mut rng, |v| v as f32, |v| v as i64);
        scatter_case(&mut rng, |v| v, |v| v);
        scatter_case(&mut rng, |v| v as f64, |v| v as i64);
        scatter_case(&mut rng, |v| half::bf16::from_f32(v as f32), |v| v.to_f32() as i64);
    }
}

#[test]
fn large_scatters_split_between_threads_keep_their_order() {
    crate::parallel::set_num_threads(3);
    let mut rng = Rng(3);
    for dim in 0..2 {
        let sizes = [70, 900];
        let out = Owned::dense(&sizes, || 0f32);
        let index = Owned::random(&mut rng, &sizes, |r| r.range(0, sizes[dim] - 1));
        let src = Owned::random(&mut rng, &sizes, |r| r.below(1000) as f32 * 0.37);
        let mut want = out.copy();
        for c in coordinates(&sizes) {
            let at = with(&c, dim, index.get(&c));
            want.set(&at, want.get(&at) + src.get(&c));
        }
        Cpu.scatter(out.raw(), index.raw(), src.raw(), dim, ScatterReduce::Add).unwrap();
        assert_eq!(out.values(), want.values());
    }
}

#[test]
fn amax_keeps_nan_and_bool_adds_as_or() {
    let out = Owned::dense(&[3], || 1f32);
    let index = Owned::dense(&[3], || 1i64);
    let mut v = [f32::NAN, 5.0, 2.0].into_iter();
    let src = Owned::dense(&[3], || v.next().unwrap());
    Cpu.scatter(out.raw(), index.raw(), src.raw(), 0, ScatterReduce::Amax).unwrap();
    assert!(out.get(&[1]).is_nan());
    assert_eq!(out.get(&[0]), 1.0);
    let out = Owned::dense(&[3], || false);
    let src = Owned::dense(&[3], || true);
    Cpu.scatter(out.raw(), index.raw(), src.raw(), 0, ScatterReduce::Add).unwrap();
    assert_eq!(out.values(), [false, true, false]);
    let c = Owned::dense(&[3], || Complex { re: 1f32, im: 0.0 });
    let e = Cpu.scatter(c.raw(), index.raw(), c.raw(), 0, ScatterReduce::Amax).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::NotImplemented);
}

fn select_case<T: Element>(rng: &mut Rng, f: impl Fn(&mut Rng) -> T) {
    let sizes = shape(rng, 1);
    let dim = rng.below(sizes.len());
    let x = Owned::random(rng, &sizes, &f);
    let index = Owned::random(rng, &[rng_len(sizes[dim])], |r| r.range(0, sizes[dim] - 1) as i32);
    let mut out_sizes = sizes.clone();
    out_sizes[dim] = index.sizes[0];
    let out = Owned::random(rng, &out_sizes, &f);
    Cpu.index_select(x.raw(), index.raw(), out.raw(), dim).unwrap();
    for c in coordinates(&out_sizes) {
        assert_eq!(out.get(&c), x.get(&with(&c, dim, index.get(&[c[dim]]) as i64)));
    }
}

fn rng_len(n: i64) -> i64 {
    n * 2 - 1
}

#[test]
fn index_select_and_index_reduce_match_the_definition() {
    let mut rng = Rng(4);
    for _ in 0..200 {
        select_case(&mut rng, |r| r.next() as u8);
        select_case(&mut rng, |r| r.next() as u32 as f32);
        select_case(&mut rng, |r| r.next());

        let sizes = shape(&mut rng, 1);
        let dim = rng.below(sizes.len());
        let out = Owned::random(&mut rng, &sizes, |r| r.range(0, 3));
        let index = Owned::random(&mut rng, &[4], |r| r.range(0, sizes[dim] - 1));
        let src = Owned::random(&mut rng, &with(&sizes, dim, 4), |r| r.range(0, 3));
        let reduce = REDUCES[rng.below(5)];
        let mut want = out.copy();
        for c in coordinates(&src.sizes) {
            let at = with(&c, dim, index.get(&[c[dim]]));
            want.set(&at, combine(reduce, want.get(&at), src.get(&c)));
        }
        Cpu.index_reduce(out.raw(), index.raw(), src.raw(), dim, reduce).unwrap();
        assert_eq!(out.values(), want.values());
    }
}

#[test]
fn embedding_rows_larger_than_a_grain() {
    crate::parallel::set_num_threads(3);
    let mut i = 0.0;
    let x = Owned::dense(&[50, 300], || {
        i += 1.0;
        i
    });
    let mut rng = Rng(5);
    let index = Owned::dense(&[777], || rng.range(0, 49));
    let out = Owned::dense(&[777, 300], || 0.0);
    Cpu.index_select(x.raw(), index.raw(), out.raw(), 0).unwrap();
    for c in coordinates(&out.sizes) {
        assert_eq!(out.get(&c), x.get(&[index.get(&[c[0]]), c[1]]));
    }
}

#[test]
fn index_and_index_put_match_the_definition() {
    let mut rng = Rng(6);
    for _ in 0..400 {
        let sizes = shape(&mut rng, 1);
        let k = rng.range(1, sizes.len() as i64) as usize;
        let s = (0..rng.range(0, 2)).map(|_| rng.range(1, 20)).collect::<Vec<_>>();
        let indices: Vec<Owned<i64>> =
            (0..k).map(|d| Owned::random(&mut rng, &s, |r| r.range(-sizes[d], sizes[d] - 1))).collect();
        let raws: Vec<Raw> = indices.iter().map(|i| i.raw()).collect();
        let axes: Vec<usize> = (0..k).collect();
        let list_sizes: Vec<i64> = s.iter().chain(&sizes[k..]).copied().collect();
        let place = |c: &[i64]| -> Vec<i64> {
            let wrapped = indices.iter().zip(&sizes).map(|(i, n)| i.get(&c[..s.len()]).rem_euclid(*n));
            wrapped.chain(c[s.len()..].iter().copied()).collect()
        };
        let x = Owned::random(&mut rng, &sizes, |r| r.next() as i16);
        let out = Owned::random(&mut rng, &list_sizes, |_| 0i16);
        Cpu.index(x.raw(), &raws, &axes, out.raw()).unwrap();
        for c in coordinates(&list_sizes) {
            assert_eq!(out.get(&c), x.get(&place(&c)));
        }
        let accumulate = rng.below(2) == 0;
        let mut want = x.copy();
        for c in coordinates(&list_sizes) {
            let old = if accumulate { want.get(&place(&c)) } else { 0 };
            want.set(&place(&c), old.wrapping_add(out.get(&c)));
        }
        Cpu.index_put(x.raw(), &raws, &axes, out.raw(), accumulate).unwrap();
        assert_eq!(x.values(), want.values());
    }
}

#[test]
fn index_in_blocks_on_threads() {
    crate::parallel::set_num_threads(3);
    let mut rng = Rng(7);
    let x = Owned::dense(&[40, 30], || rng.next() as i32);
    let a = Owned::random(&mut rng, &[300, 200], |r| r.range(-40, 39));
    let b = Owned::random(&mut rng, &[300, 200], |r| r.range(-30, 29));
    let out = Owned::random(&mut rng, &[300, 200], |_| 0i32);
    Cpu.index(x.raw(), &[a.raw(), b.raw()], &[0, 1], out.raw()).unwrap();
    for c in coordinates(&out.sizes) {
        assert_eq!(out.get(&c), x.get(&[a.get(&c).rem_euclid(40), b.get(&c).rem_euclid(30)]));
    }
}

#[test]
fn indices_out_of_range_are_errors() {
    let x = Owned::dense(&[5, 3], || 1f32);
    for bad in [5i64, -1, 7, i64::MAX, i64::MIN] {
        let text = format!("index {bad} is out of bounds for dimension 0 with size 5");
        let index = Owned::dense(&[2, 3], || bad);
        let out = Owned::dense(&[2, 3], || 0f32);
        let e = Cpu.gather(x.raw(), index.raw(), out.raw(), 0).unwrap_err();
        assert_eq!((e.kind(), e.message()), (ErrorKind::Runtime, &*text));
        let e = Cpu.scatter(x.raw(), index.raw(), out.raw(), 0, ScatterReduce::Add).unwrap_err();
        assert_eq!((e.kind(), e.message()), (ErrorKind::Runtime, &*text));
        let line = Owned::dense(&[2], || bad);
        let e = Cpu.index_select(x.raw(), line.raw(), out.raw(), 0).unwrap_err();
        assert_eq!((e.kind(), e.message()), (ErrorKind::Index, &*format!("index out of range in self: {text}")));
        let e = Cpu.index_reduce(x.raw(), line.raw(), out.raw(), 0, ScatterReduce::Set).unwrap_err();
        assert_eq!((e.kind(), e.message()), (ErrorKind::Index, &*format!("index out of range in self: {text}")));
        if bad == -1 {
            continue;
        }
        let text = text.replace("dimension 0", "dimension 3");
        for e in [
            Cpu.index(x.raw(), &[line.raw()], &[3], out.raw()).unwrap_err(),
            Cpu.index_put(x.raw(), &[line.raw()], &[3], out.raw(), true).unwrap_err(),
        ] {
            assert_eq!((e.kind(), e.message()), (ErrorKind::Index, &*text));
        }
    }
    assert_eq!(x.values(), [1.0; 15]);
    // An index larger than its source is refused before memory is touched.
    let wide = Owned::dense(&[2, 4], || 0i64);
    let out = Owned::dense(&[2, 4], || 0f32);
    assert!(Cpu.gather(x.raw(), wide.raw(), out.raw(), 0).is_err());
}

#[test]
fn scalars_and_empty_operands() {
    let x = Owned::dense(&[], || 3f32);
    let index = Owned::dense(&[], || 0i64);
    let out = Owned::dense(&[], || 0f32);
    Cpu.gather(x.raw(), index.raw(), out.raw(), 0).unwrap();
    assert_eq!(out.get(&[]), 3.0);
    let coords = Owned::dense(&[1, 0], || 0i64);
    assert_eq!(Cpu.count_nonzero(x.raw()).unwrap(), 1);
    Cpu.nonzero(x.raw(), coords.raw()).unwrap();
    let x = Owned::dense(&[0, 4], || 3f32);
    assert_eq!(Cpu.count_nonzero(x.raw()).unwrap(), 0);
    let none = Owned::dense(&[0, 2], || 0i64);
    Cpu.nonzero(x.raw(), none.raw()).unwrap();
    let index = Owned::dense(&[0], || 0i64);
    Cpu.index_select(x.raw(), index.raw(), x.raw(), 0).unwrap();
}

fn nonzero_case<T: Element>(rng: &mut Rng, sizes: &[i64], values: &[T], is_zero: impl Fn(T) -> bool) {
    let x = Owned::random(rng, sizes, |r| values[r.below(values.len())]);
    let want: Vec<Vec<i64>> = coordinates(sizes).into_iter().filter(|c| !is_zero(x.get(c))).collect();
    assert_eq!(Cpu.count_nonzero(x.raw()).unwrap(), want.len());
    let out = Owned::random(rng, &[want.len() as i64, sizes.len() as i64], |_| -1i64);
    Cpu.nonzero(x.raw(), out.raw()).unwrap();
    assert_eq!(out.values(), want.concat());
}

#[test]
fn nonzero_matches_the_definition() {
    crate::parallel::set_num_threads(3);
    let mut rng = Rng(8);
    for i in 0..200 {
        let mut sizes = shape(&mut rng, 0);
        if i % 40 == 0 {
            sizes = vec![11, 70, 91];
        }
        nonzero_case(&mut rng, &sizes, &[0f32, -0.0, f32::NAN, 1.0, f32::MIN_POSITIVE], |v| v == 0.0);
        nonzero_case(&mut rng, &sizes, &[0i64, i64::MIN, 1], |v| v == 0);
        nonzero_case(&mut rng, &sizes, &[0i8, -128, 1], |v| v == 0);
        nonzero_case(&mut rng, &sizes, &[false, true], |v| !v);
        let z = |re, im| Complex { re, im };
        nonzero_case(&mut rng, &sizes, &[z(0f32, -0.0), z(-0.0, 0.0), z(1.0, 0.0), z(-0.0, 1.0)], |v| {
            v.re == 0.0 && v.im == 0.0
        });
        let z = |re, im| Complex { re, im };
        nonzero_case(&mut rng, &sizes, &[z(0f64, -0.0), z(1.0, 0.0), z(-0.0, 1.0)], |v| v.re == 0.0 && v.im == 0.0);
    }
}

#[test]
fn masks_select_and_scatter() {
    crate::parallel::set_num_threads(3);
    let mut rng = Rng(9);
    for i in 0..200 {
        let mut sizes = shape(&mut rng, 0);
        if i % 40 == 0 {
            sizes = vec![13, 70, 91];
        }
        let x = Owned::random(&mut rng, &sizes, |r| r.next() as i32);
        let mask = Owned::random(&mut rng, &sizes, |r| r.below(3) == 0);
        let want: Vec<i32> = coordinates(&sizes).iter().filter(|c| mask.get(c)).map(|c| x.get(c)).collect();
        let out = Owned::random(&mut rng, &[want.len() as i64], |_| 0i32);
        Cpu.masked_select(x.raw(), mask.raw(), out.raw()).unwrap();
        assert_eq!(out.values(), want);

        let fresh = Owned::dense(&[want.len() as i64 + 1], || rng.next() as i32);
        let mut expect = x.copy();
        for (i, c) in coordinates(&sizes).iter().filter(|c| mask.get(c)).enumerate() {
            expect.set(c, fresh.get(&[i as i64]));
        }
        Cpu.masked_scatter(x.raw(), mask.raw(), fresh.raw()).unwrap();
        assert_eq!(x.values(), expect.values());
        if !want.is_empty() {
            let short = Owned::dense(&[want.len() as i64 - 1], || 0i32);
            let e = Cpu.masked_scatter(x.raw(), mask.raw(), short.raw()).unwrap_err();
            assert_eq!(e.message(), "Number of elements of source < number of ones in mask");
        }
    }
}

#[test]
fn flip_reverses() {
    let mut rng = Rng(10);
    for _ in 0..200 {
        let sizes = shape(&mut rng, 0);
        let dims: Vec<usize> = (0..sizes.len()).filter(|_| rng.below(2) == 0).collect();
        let x = Owned::random(&mut rng, &sizes, |r| r.next() as i16);
        let out = Owned::random(&mut rng, &sizes, |_| 0i16);
        Cpu.flip(x.raw(), out.raw(), &dims).unwrap();
        for c in coordinates(&sizes) {
            let from: Vec<i64> =
                (0..c.len()).map(|d| if dims.contains(&d) { sizes[d] - 1 - c[d] } else { c[d] }).collect();
            assert_eq!(out.get(&c), x.get(&from));
        }
    }
    let x = Owned::dense(&[2, 0], || 0i16);
    Cpu.flip(x.raw(), x.raw(), &[0, 1]).unwrap();
}

#[test]
fn bincount_counts_and_weighs() {
    let mut rng = Rng(11);
    let x = Owned::random(&mut rng, &[1500], |r| r.below(20) as u8);
    let out = Owned::random(&mut rng, &[20], |_| 99i64);
    Cpu.bincount(x.raw(), None, out.raw()).unwrap();
    let w = Owned::random(&mut rng, &[1500], |r| r.below(9) as f64 * 0.5);
    let sums = Owned::random(&mut rng, &[20], |_| 99f64);
    Cpu.bincount(x.raw(), Some(w.raw()), sums.raw()).unwrap();
    for v in 0..20i64 {
        let hits: Vec<i64> = (0..1500).filter(|&i| x.get(&[i]) as i64 == v).collect();
        assert_eq!(out.get(&[v]), hits.len() as i64);
        assert_eq!(sums.get(&[v]), hits.iter().map(|&i| w.get(&[i])).sum::<f64>());
    }
    for bad in [-7i64, 20] {
        let x = Owned::dense(&[1], || bad);
        let e = Cpu.bincount(x.raw(), None, out.raw()).unwrap_err();
        assert_eq!(e.message(), "bincount only supports 1-d non-negative integral inputs.");
    }
}
