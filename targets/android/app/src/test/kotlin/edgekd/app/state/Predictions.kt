package edgekd.app.state

import edgekd.Decision
import edgekd.FindingState
import edgekd.Prediction
import edgekd.Reason
import edgekd.Timings

internal val BLURRED = Reason.Photo("blurred", "blurred (sharpness 1.2 is below 3): hold still")
internal val UNSURE = Reason.Output("unsure", "the top probability 0.41 is below 0.60")

internal fun prediction(
    decision: Decision,
    reasons: List<Reason> = emptyList(),
    findings: Map<String, FindingState> = emptyMap(),
    conformalSet: List<String>? = listOf("mel", "nv"),
) = Prediction(
    label = "nv",
    probability = 0.93,
    probabilities = mapOf("mel" to 0.07, "nv" to 0.93),
    decision = decision,
    reasons = reasons,
    conformalSet = conformalSet,
    quality = null,
    logits = listOf(0f, 2f),
    findings = findings,
    timings = Timings(1.0, 1.0, 1.0),
)

internal val NOTES = BundleNotes(listOf("for research, not certified"), "Dermoscopy.", "0123456789abcdef", BundleNotes.Signature.NONE)
