//! Minimises a loss of one's own: a picture that excites the channels of a layer.

use burn::tensor::Tensor;
use ranvgg::loss::{Custom, TotalVariation};
use ranvgg::objective::Objective;
use ranvgg::optim::{LbfgsOptions, Next};
use ranvgg::{IfExists, Lbfgs, RandomVgg, device, imaging};

const SIDE: usize = 128;

fn main() -> ranvgg::Result<()> {
    let vgg = RandomVgg::vgg19().init(&device::best()?)?;
    let layer = vgg.layer("conv3_1")?;

    // Burn differentiates the closure; the network below it has a backward pass of its own.
    let excite = Custom::new(|map: Tensor<4>| -map.mean());
    let objective = Objective::new(&vgg)
        .at_layer("excitement", layer, 1.0, excite)
        .at_image("total variation", 1e-5, TotalVariation);

    let (shape, length) = ([1, 3, SIDE, SIDE], 3 * SIDE * SIDE);
    let grey = Tensor::<1>::full([length], 0.5, vgg.device());
    let options = LbfgsOptions::default()
        .with_evaluations(100)
        .with_bounds((0.0, 1.0));
    let mut lbfgs = Lbfgs::new(grey, options)?;

    // The optimiser asks for a point's value and gradient, and is told.
    loop {
        let evaluation = objective.evaluate(lbfgs.ask().reshape(shape))?;
        let gradient = evaluation.gradient.reshape([length]);
        if let Next::Stop(reason) = lbfgs.tell(evaluation.values, gradient)? {
            println!("{reason}, at {:.3e}", lbfgs.value());
            break;
        }
    }
    let image = imaging::to_image8(lbfgs.point().reshape(shape))?;
    imaging::save(&image, "excited.png", IfExists::Replace)
}
