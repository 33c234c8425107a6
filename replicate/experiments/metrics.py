"""What each kind of study measures, in which unit, and which way is better."""

from typing import Literal, NamedTuple

Better = Literal["lower", "higher"]
LOWER: Better = "lower"
HIGHER: Better = "higher"


class Metric(NamedTuple):
    """A single value, a curve, or both. `name` may be a pattern of fnmatch, where options name the measurements."""

    name: str
    unit: str = ""
    better: Better | None = None


def each(names: str, unit: str = "", better: Better | None = None) -> tuple[Metric, ...]:
    """Metrics of one kind, their names separated by blanks."""
    return tuple(Metric(name, unit, better) for name in names.split())


SIZE = each("parameters multiply_adds", "count", LOWER)  # of the run's network
CLASSES = each("classes", "count")

TRAINED = (
    *each("test_error test_top5_error train_error train_error_first_epoch", "percent", LOWER),
    *each("validation_error validation_top5_error", "percent", LOWER),
    *each("test_loss train_loss train_loss_first_epoch validation_loss", "nats", LOWER),
    *each("steps_to_reach", "count", LOWER),
    *each("images_per_second", "images/s", HIGHER),
    *CLASSES,
    *SIZE,
)
EVALUATED = (
    *each("test_error test_top5_error test_error_* test_top5_error_*", "percent", LOWER),
    *each("test_loss test_loss_*", "nats", LOWER),
    *CLASSES,
    *SIZE,
)
COUNTED = (*SIZE, Metric("*", "count"))
CHECKED = each("*")
ALGORITHMS = ("torch", "direct", "im2col", "fft", "winograd_2x2", "winograd_4x4", "strassen", "separable")
SPEED = (
    *each(" ".join(ALGORITHMS), "milliseconds", LOWER),
    *each(" ".join(f"{name}_error" for name in ALGORITHMS), "share of the largest output", LOWER),
    *each(" ".join(f"{name}_products" for name in ALGORITHMS), "products for each output and input channel", LOWER),
    *each(" ".join(f"{name}_saving" for name in ALGORITHMS), "times the direct products", HIGHER),
)
FIELDS = (*each("field recursion by_rule off jump", "pixels"), *each("whole_image"))
TRANSLATION = (
    *each("shift_error turn_error scale_error outputs_changed answer_change", "percent", LOWER),
    *each("gain gain_constant gain_finest"),
)
DRAWS = (
    *each("reconstruction_error collapsed_points", "percent", LOWER),
    *each("expected_blocks drawn_blocks", "count"),
)
MEMORY = (
    *each("kept_bytes allocated_bytes", "bytes", LOWER),
    *each("kept_maps", "numbers per image", LOWER),
    *each("gradient_difference", "", LOWER),
    *each("seconds_naive seconds_shared", "seconds", LOWER),
    *each("overhead_percent", "percent", LOWER),
    *each("convolution_weights weights_by_formula", "count"),
    *each("maps_by_formula maps_by_weights", "numbers per image"),
    *SIZE,
)
STEP_TIME = (
    *each("step_seconds reference_step_seconds", "seconds", LOWER),
    *each("relative_step_time", "", LOWER),
    *SIZE,
)
LESION = (
    *each("test_error undamaged_error deleted_error drawn_error least_error", "percent", LOWER),
    *each("rise_most rise_elsewhere rise_transition", "percentage points", LOWER),
    *each("deleted", "blocks"),
    *each("tau drawn_tau stage transition"),
    *CLASSES,
    *SIZE,
)
RESPONSES = (*each("median_response_std response_std sorted_response_std"), *SIZE)
PATHS = (
    *each("path_share gradient_share effective_share effective_paths", "percent"),
    *each("carrying_low carrying_high carrying_mean", "blocks"),
    *each("decay_slope", "decades per block"),
    *each("path_norm decay_fit"),
    *SIZE,
)
PATH_LENGTHS = (
    *each("paths path_count", "count"),
    *each("path_share share", "percent"),
    *each("paths_left survivors survivors_*", "share"),
    *each("mean_length", "blocks"),
)
COURSE = (*TRAINED, *each("first_layer_gradient"), *each("fluctuation", "percentage points", LOWER))
GATES = (
    *each("test_error ungated_error ungated_error_*", "percent", LOWER),
    *each("ungated_rise ungated_rise_*", "percentage points", LOWER),
    *each("gates_near_one gates_near_one_last_but_one", "percent"),
    *each("gate_spread gate_spread_* *"),
    *CLASSES,
    *SIZE,
)
REUSE = (
    *each("reuse reuse_of_input reuse_of_nearest"),
    *each("weight_of_transition weight_of_layers", "mean absolute weight"),
    *SIZE,
)
READOUT = (*each("test_error train_error", "percent", LOWER), *SIZE)
EFFICIENCY = (
    *each("test_error train_error", "percent", LOWER),
    *each("batch_milliseconds", "milliseconds", LOWER),
    *each("kept_bytes", "bytes", LOWER),
    *SIZE,
)
