//! Optimizers and schedules against PyTorch's recorded runs (tests/tools/record_optim.py).

use super::*;
use flambeau::optim::schedule::LambdaLR;

/// As `numbers` in the recording script.
fn sequence(count: i64, seed: i64) -> Vec<f64> {
    (0..count).map(|i| ((i * 37 + seed * 53) % 101 - 50) as f64 / 40.0).collect()
}

fn tensor(values: Vec<f64>, sizes: &[i64], dtype: DType) -> Tensor {
    Tensor::from_slice(&values, sizes).unwrap().to_dtype(dtype).unwrap()
}

fn params(dtype: DType) -> Vec<Tensor> {
    vec![
        tensor(sequence(6, 1), &[3, 2], dtype).requires_grad_().unwrap(),
        tensor(sequence(4, 2), &[4], dtype).requires_grad_().unwrap(),
    ]
}

struct Given<'a>(&'a Value);

impl Given<'_> {
    fn f(&self, key: &str, default: f64) -> f64 {
        self.0.get(key).map_or(default, |v| v.as_f64().unwrap())
    }

    fn b(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(|v| v.as_bool().unwrap())
    }

    fn betas(&self) -> (f64, f64) {
        self.0.get("betas").map_or((0.9, 0.999), |v| (v[0].as_f64().unwrap(), v[1].as_f64().unwrap()))
    }
}

fn make(name: &str, p: Vec<Tensor>, o: &Value) -> Option<Box<dyn Optimizer>> {
    let o = Given(o);
    let eps = o.f("eps", 1e-8);
    Some(match name {
        "SGD" => Box::new(
            SGD::new(p, o.f("lr", SGD::DEFAULT_LR))
                .momentum(o.f("momentum", 0.0))
                .dampening(o.f("dampening", 0.0))
                .weight_decay(o.f("weight_decay", 0.0))
                .nesterov(o.b("nesterov"))
                .maximize(o.b("maximize")),
        ),
        "Adam" => Box::new(
            Adam::new(p, o.f("lr", Adam::DEFAULT_LR))
                .betas(o.betas())
                .eps(eps)
                .weight_decay(o.f("weight_decay", 0.0))
                .decoupled_weight_decay(o.b("decoupled_weight_decay"))
                .amsgrad(o.b("amsgrad"))
                .maximize(o.b("maximize")),
        ),
        "AdamW" => Box::new(
            AdamW::new(p, o.f("lr", AdamW::DEFAULT_LR))
                .betas(o.betas())
                .eps(eps)
                .weight_decay(o.f("weight_decay", 0.01))
                .amsgrad(o.b("amsgrad"))
                .maximize(o.b("maximize")),
        ),
        "Adadelta" => Box::new(
            Adadelta::new(p, o.f("lr", Adadelta::DEFAULT_LR))
                .rho(o.f("rho", 0.9))
                .eps(o.f("eps", 1e-6))
                .weight_decay(o.f("weight_decay", 0.0))
                .maximize(o.b("maximize")),
        ),
        "RMSprop" => Box::new(
            RMSprop::new(p, o.f("lr", RMSprop::DEFAULT_LR))
                .alpha(o.f("alpha", 0.99))
                .eps(eps)
                .weight_decay(o.f("weight_decay", 0.0))
                .momentum(o.f("momentum", 0.0))
                .centered(o.b("centered"))
                .maximize(o.b("maximize")),
        ),
        _ => return None,
    })
}

/// The recorded gradients of one step: those of some function, and half the parameter.
fn give_gradients(params: &[Tensor], step: i64, transposed: bool) {
    for (i, p) in params.iter().enumerate() {
        let g = tensor(sequence(p.numel(), 10 * step + i as i64), p.sizes(), p.dtype());
        let g = (g + (p.detach() * 0.5).unwrap()).unwrap();
        // The same numbers in another order of memory, which the fused kernels do not take.
        let g = if transposed && g.ndim() == 2 { g.t().unwrap().contiguous().unwrap().t().unwrap() } else { g };
        p.set_grad(Some(g)).unwrap();
    }
    if step == 0 {
        params[1].set_grad(None).unwrap();
    }
}

fn run(name: &str, options: &Value, want: &Value, dtype: DType, transposed: bool, tolerance: f64) -> bool {
    let params = params(dtype);
    let Some(mut optimizer) = make(name, params.clone(), options) else { return false };
    for (step, want) in want["params"].as_array().unwrap().iter().enumerate() {
        give_gradients(&params, step as i64, transposed);
        optimizer.step().unwrap();
        for (p, w) in params.iter().zip(want.as_array().unwrap()) {
            assert_close(&values(p), &numbers(w), tolerance, &format!("{name} {options} step {step}"));
        }
    }
    true
}

#[test]
fn steps_are_pytorchs() {
    let table = json("tests/optim/recorded.json");
    let mut count = 0;
    for case in table["optimizers"].as_array().unwrap() {
        let (name, options, want) = (case[0].as_str().unwrap(), &case[1], &case[2]);
        if run(name, options, want, DType::F32, false, 2e-6) {
            count += 1;
            // Tensors that the kernels refuse give the same numbers, and double precision nearly so.
            run(name, options, want, DType::F32, true, 2e-6);
            run(name, options, want, DType::F64, false, 1e-5);
            run(name, options, want, DType::BF16, false, 0.1);
        }
    }
    assert_eq!(count, 31, "cases of the five optimizers");
}

/// Long tensors go through blocks and threads; the same numbers in short pieces do not.
#[test]
fn long_tensors_move_like_their_pieces() {
    const N: i64 = 70_003;
    const PIECE: i64 = 29;
    for (name, options) in [
        ("SGD", serde_json::json!({"lr": 0.1})),
        ("SGD", serde_json::json!({"lr": 0.1, "momentum": 0.9, "nesterov": true, "weight_decay": 0.01})),
        ("Adam", serde_json::json!({"lr": 0.01, "weight_decay": 0.1})),
        ("AdamW", serde_json::json!({"lr": 0.01, "amsgrad": true})),
        ("Adadelta", serde_json::json!({})),
        ("RMSprop", serde_json::json!({})),
        ("RMSprop", serde_json::json!({"momentum": 0.5})),
        ("RMSprop", serde_json::json!({"centered": true})),
        ("RMSprop", serde_json::json!({"momentum": 0.5, "centered": true, "maximize": true})),
    ] {
        let start = tensor(sequence(N, 5), &[N], DType::F32);
        let whole = start.copy().unwrap().requires_grad_().unwrap();
        let cut = |t: &Tensor| -> Vec<Tensor> {
            (0..N).step_by(PIECE as usize).map(|i| t.narrow(0, i, PIECE.min(N - i)).unwrap()).collect()
        };
        let pieces: Vec<Tensor> =
            cut(&start.copy().unwrap()).iter().map(|t| t.detach().requires_grad_().unwrap()).collect();
        let mut a = make(name, vec![whole.clone()], &options).unwrap();
        let mut b = make(name, pieces.clone(), &options).unwrap();
        for step in 0..3 {
            let g = tensor(sequence(N, step), &[N], DType::F32);
            for (p, g) in pieces.iter().zip(cut(&g)) {
                p.set_grad(Some(g)).unwrap();
            }
            whole.set_grad(Some(g)).unwrap();
            a.step().unwrap();
            b.step().unwrap();
        }
        let got: Vec<f64> = pieces.iter().flat_map(values).collect();
        assert!(values(&whole) == got, "{name} {options}");
        assert_ne!(values(&start), got);
    }
}

#[test]
fn what_kernels_do_not_take_is_refused_unchanged() -> Result<()> {
    use flambeau::optim::fused::{SgdStep, sgd_};
    let s = SgdStep {
        lr: 1.0,
        momentum: 0.0,
        dampening: 0.0,
        weight_decay: 0.0,
        nesterov: false,
        maximize: false,
        first: false,
    };
    let (p, g) = (ones(&[2, 3])?, ones(&[2, 3])?);
    assert!(sgd_(&[&p], &[&g], None, &s)?);
    assert_eq!((values(&p), p.version()), (vec![0.0; 6], 1));
    let odd = [g.to_dtype(DType::F64)?, ones(&[3, 2])?.t()?, ones(&[6])?, ones(&[1])?.expand(&[2, 3])?, p.detach()];
    for g in odd {
        let fine = [zeros(&[2])?, ones(&[2])?];
        assert!(!sgd_(&[&fine[0], &p], &[&fine[1], &g], None, &s)?);
        assert_eq!((values(&p), p.version()), (vec![0.0; 6], 1));
        assert_eq!(values(&fine[0]), [0.0, 0.0], "nothing may change before all tensors are checked");
    }
    let half = p.to_dtype(DType::F16)?;
    assert!(!sgd_(&[&half], &[&half.copy()?], None, &s)?);
    assert!(sgd_(&[&p], &[], None, &s).is_err());
    Ok(())
}

fn two_groups() -> SGD {
    let p = params(DType::F32);
    SGD::new([p[0].clone()], 0.1).momentum(0.8).add_group([p[1].clone()], 0.05)
}

#[test]
fn schedules_are_pytorchs() {
    let table = json("tests/optim/recorded.json");
    let mut count = 0;
    for case in table["schedulers"].as_array().unwrap() {
        let (name, o) = (case[0].as_str().unwrap(), Given(&case[1]));
        let mut optimizer = two_groups();
        let mut plateau = None;
        let scheduler: Option<Box<dyn Scheduler>> = match name {
            "StepLR" => Some(Box::new(StepLR::new(o.f("step_size", 1.0) as u64, o.f("gamma", 0.1)).unwrap())),
            "MultiStepLR" => {
                let milestones: Vec<u64> = numbers(&o.0["milestones"]).iter().map(|m| *m as u64).collect();
                Some(Box::new(MultiStepLR::new(milestones, o.f("gamma", 0.1))))
            }
            "ExponentialLR" => Some(Box::new(ExponentialLR::new(o.f("gamma", 0.1)))),
            "LinearLR" => {
                let (start, end) = (o.f("start_factor", 1.0 / 3.0), o.f("end_factor", 1.0));
                Some(Box::new(LinearLR::new(&mut optimizer, start, end, o.f("total_iters", 5.0) as u64).unwrap()))
            }
            "CosineAnnealingLR" => {
                let (n, low) = (o.f("T_max", 1.0) as u64, o.f("eta_min", 0.0));
                Some(Box::new(CosineAnnealingLR::new(&optimizer, n, low).unwrap()))
            }
            "LambdaLR" if o.0["lr_lambda"] == "lambda epoch: 0.95 ** epoch" => {
                Some(Box::new(LambdaLR::new(&mut optimizer, |epoch| 0.95f64.powi(epoch as i32)).unwrap()))
            }
            "OneCycleLR" if o.0["max_lr"].is_f64() => {
                let cycle = o.0.get("cycle_momentum").is_none();
                let (top, n) = (o.f("max_lr", 0.0), o.f("total_steps", 0.0) as u64);
                Some(Box::new(OneCycleLR::with(&mut optimizer, top, n, o.f("pct_start", 0.3), cycle).unwrap()))
            }
            "ReduceLROnPlateau" => {
                let mut p = ReduceLROnPlateau::new(o.f("factor", 0.1), o.f("patience", 10.0) as u64);
                p.maximize = o.0.get("mode").is_some();
                p.cooldown = o.f("cooldown", 0.0) as u64;
                p.min_lr = o.f("min_lr", 0.0);
                p.absolute = o.0.get("threshold_mode").is_some();
                plateau = Some(p);
                None
            }
            _ => continue,
        };
        let Some(mut scheduler) = scheduler.or(plateau.is_some().then(|| Box::new(ExponentialLR::new(1.0)) as _))
        else {
            continue;
        };
        const METRICS: [f64; 14] = [1.0, 0.9, 0.9, 0.9, 0.8, 0.85, 0.85, 0.85, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7];
        let trace = case[2]["trace"].as_array().unwrap();
        for (step, want) in trace.iter().enumerate() {
            let got: Vec<f64> =
                (0..2).flat_map(|i| [optimizer.lr(i), optimizer.current_momentum(i).unwrap()]).collect();
            assert_close(&got, &numbers(want), 1e-12, &format!("{name} {} step {step}", o.0));
            match &mut plateau {
                Some(p) => p.step(&mut optimizer, METRICS[step]).unwrap(),
                None => scheduler.step(&mut optimizer).unwrap(),
            }
        }
        count += 1;
    }
    assert_eq!(count, 13, "cases of the eight schedules");
}
