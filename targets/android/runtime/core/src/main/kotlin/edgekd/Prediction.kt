package edgekd

/** What to do with a photo: give the answer, refer the patient, or take another photo. */
sealed class Decision {
    /** The name by which all runtimes call it. */
    abstract val name: String

    /** The label may be shown. */
    data object Answer : Decision() {
        override val name: String = "answer"
    }

    /** The patient is to be referred; the label must not be shown as an answer. */
    data class Refer(
        val reasons: List<Reason>,
    ) : Decision() {
        override val name: String get() = "refer"
    }

    /** Another photo is to be taken. */
    data class Retake(
        val reasons: List<Reason>,
    ) : Decision() {
        override val name: String get() = "retake"
    }
}

/**
 * One reason not to answer.
 *
 * @property code The same in every runtime.
 * @property text The reason with its numbers, in English; of a photo also what to do.
 */
sealed class Reason {
    abstract val code: String
    abstract val text: String

    /** The photo: `blurred`, `dark`, `bright`, `glare`, `no-lesion`, `off-centre`, `unlike`. */
    data class Photo(
        override val code: String,
        override val text: String,
    ) : Reason()

    /** The answer: `not-finite`, `unsure`, `not-excluded`, `unfamiliar`. */
    data class Output(
        override val code: String,
        override val text: String,
    ) : Reason()
}

/** Measures of a photo, on the square that the network gets; docs/runtime-contract.md defines them. */
data class Measures(
    val sharpness: Double,
    val brightness: Double,
    val glare: Double,
    val contrast: Double,
    val offCentre: Double,
) {
    /** The measures by the names that manifests use. */
    fun toMap(): Map<String, Double> =
        mapOf(
            "sharpness" to sharpness,
            "brightness" to brightness,
            "glare" to glare,
            "contrast" to contrast,
            "off_centre" to offCentre,
        )
}

/**
 * The measures of one photo.
 *
 * @property distance Squared distance of its appearance from the training images; null where the bundle does not
 *   describe them.
 */
data class CaptureQuality(
    val measures: Measures,
    val distance: Double?,
)

/** State of a finding, of a task whose findings may occur together. */
enum class FindingState { PRESENT, ABSENT, UNSURE }

/**
 * The prediction for one photo.
 *
 * @property label The answer as one text; to be shown only where [decision] is [Decision.Answer].
 * @property probability Calibrated probability of the label; null where the task has none.
 * @property probabilities Calibrated probability of every class or finding, in the model's order.
 * @property reasons Why it is no answer; those about the photo come first.
 * @property conformalSet Classes that cannot be excluded; null where the bundle has no quantile.
 * @property quality Measures of the photo; null where they are switched off or the bundle has no limits.
 * @property logits The raw output of the network.
 * @property findings State by finding, of a task whose findings may occur together; else empty.
 * @property timings Time that each step took.
 */
data class Prediction(
    val label: String,
    val probability: Double?,
    val probabilities: Map<String, Double>,
    val decision: Decision,
    val reasons: List<Reason>,
    val conformalSet: List<String>?,
    val quality: CaptureQuality?,
    val logits: List<Float>,
    val findings: Map<String, FindingState>,
    val timings: Timings,
)

/** Milliseconds of each step of a prediction; the quality of a photo is looked at while the model runs, by another processor. */
data class Timings(
    val preprocess: Double,
    val quality: Double,
    val model: Double,
)
