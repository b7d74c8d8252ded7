package edgekd.app.state

import edgekd.Decision
import edgekd.FindingState
import edgekd.Prediction
import edgekd.Reason

/** The three decisions, as the screen distinguishes them. */
enum class Verdict { ANSWER, REFER, RETAKE }

/**
 * Of a prediction, what may be shown.
 *
 * @property label The answer; null unless the decision is to answer, so that no screen can show it by mistake.
 * @property probability Its calibrated probability; null as the label is, or where the task has none.
 * @property reasons Why it is no answer.
 * @property notExcluded Classes that cannot be excluded; empty where the photo has to be taken again, or the bundle has no sets.
 * @property findings Findings that may occur together, with their state; empty of other tasks, and for a photo to be retaken.
 */
data class Outcome(
    val verdict: Verdict,
    val label: String?,
    val probability: Double?,
    val reasons: List<ReasonLine>,
    val notExcluded: List<String>,
    val findings: Map<String, FindingState>,
)

/**
 * A reason.
 *
 * @property word The app's own sentence, in its language; null for a code that this app does not know.
 * @property detail The runtime's sentence with its numbers, in English.
 */
data class ReasonLine(
    val word: ReasonWord?,
    val detail: String,
)

/** The codes of reasons for which the app has sentences; docs/runtime-contract.md lists them. */
enum class ReasonWord(
    val code: String,
) {
    BLURRED("blurred"),
    DARK("dark"),
    BRIGHT("bright"),
    GLARE("glare"),
    NO_LESION("no-lesion"),
    OFF_CENTRE("off-centre"),
    UNLIKE("unlike"),
    NOT_FINITE("not-finite"),
    UNSURE("unsure"),
    NOT_EXCLUDED("not-excluded"),
    UNFAMILIAR("unfamiliar"),
    ;

    companion object {
        /** The word of a code, or null. */
        fun of(code: String): ReasonWord? = entries.firstOrNull { it.code == code }
    }
}

/** What may be shown of a prediction. */
fun outcomeOf(prediction: Prediction): Outcome {
    val verdict =
        when (prediction.decision) {
            is Decision.Answer -> Verdict.ANSWER
            is Decision.Refer -> Verdict.REFER
            is Decision.Retake -> Verdict.RETAKE
        }
    val answer = verdict == Verdict.ANSWER
    val usable = verdict != Verdict.RETAKE
    return Outcome(
        verdict = verdict,
        label = prediction.label.takeIf { answer },
        probability = prediction.probability.takeIf { answer },
        reasons = shownReasons(prediction.reasons, usable),
        notExcluded =
            prediction.conformalSet
                .orEmpty()
                .takeIf { usable }
                .orEmpty(),
        findings = prediction.findings.takeIf { usable }.orEmpty(),
    )
}

/** Of a photo that has to be taken again, only what is wrong with the photo: the output means nothing. */
private fun shownReasons(
    reasons: List<Reason>,
    usable: Boolean,
): List<ReasonLine> = reasons.filter { usable || it is Reason.Photo }.map { ReasonLine(ReasonWord.of(it.code), it.text) }
