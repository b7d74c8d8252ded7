package edgekd.app

import android.content.res.Resources
import edgekd.FindingState
import edgekd.app.state.BundleNotes
import edgekd.app.state.CameraProblem
import edgekd.app.state.Outcome
import edgekd.app.state.Phase
import edgekd.app.state.Problem
import edgekd.app.state.ReasonWord
import edgekd.app.state.Verdict
import java.text.NumberFormat

private const val HASH_SHOWN = 12

/** The text of a screen in the user's language; `body` and `detail` may be empty. */
internal data class Sentences(
    val headline: String,
    val body: String = "",
    val detail: String = "",
)

internal fun Resources.sentencesOf(phase: Phase): Sentences =
    when (phase) {
        Phase.Opening -> Sentences(getString(R.string.opening))
        is Phase.Unusable -> Sentences(getString(R.string.unusable), detail = textOf(phase.problem))
        Phase.NeedsPermission -> Sentences(getString(R.string.needs_permission))
        is Phase.CameraFailed -> Sentences(textOf(phase.problem))
        Phase.Aiming -> Sentences(getString(R.string.aim))
        Phase.Taking -> Sentences(getString(R.string.taking))
        is Phase.Deciding -> Sentences(getString(R.string.deciding))
        is Phase.Decided -> sentencesOf(phase.outcome)
        is Phase.Unreadable -> Sentences(getString(R.string.unreadable), detail = textOf(phase.problem))
    }

/** The bundle's warnings, each on a line of its own. */
internal fun Resources.warningsOf(notes: BundleNotes): String = notes.warnings.joinToString("\n") { getString(R.string.warning, it) }

/** What the bundle is for, and which it is. */
internal fun Resources.textOf(notes: BundleNotes): String {
    val signature =
        when (notes.signature) {
            BundleNotes.Signature.NONE -> R.string.signature_none
            BundleNotes.Signature.NOT_CHECKED -> R.string.signature_not_checked
            BundleNotes.Signature.VERIFIED -> R.string.signature_verified
        }
    return getString(R.string.about_bundle, notes.intendedUse, notes.sha256.take(HASH_SHOWN), getString(signature)).trim()
}

private fun Resources.sentencesOf(outcome: Outcome): Sentences {
    val words = outcome.reasons.map { reason -> reason.word?.let { getString(stringOf(it)) } ?: reason.detail }
    val findings = outcome.findings.map { (name, state) -> getString(stringOf(state), name) }
    val sets = if (outcome.notExcluded.isEmpty()) emptyList() else listOf(notExcluded(outcome.notExcluded))
    return Sentences(
        headline = headlineOf(outcome),
        body = (words.distinct() + sets + findings).joinToString("\n"),
        // A sentence that is the runtime's already needs no detail.
        detail = outcome.reasons.filter { it.word != null }.joinToString("\n") { it.detail },
    )
}

private fun Resources.notExcluded(classes: List<String>) = getString(R.string.not_excluded, classes.joinToString(", "))

private fun Resources.headlineOf(outcome: Outcome): String =
    when (outcome.verdict) {
        Verdict.ANSWER -> answer(outcome)
        Verdict.REFER -> getString(R.string.refer)
        Verdict.RETAKE -> getString(R.string.retake)
    }

private fun Resources.answer(outcome: Outcome): String {
    val probability = outcome.probability ?: return getString(R.string.answer, outcome.label)
    return getString(R.string.answer_with_probability, outcome.label, percent(probability))
}

private fun Resources.percent(value: Double): String = NumberFormat.getPercentInstance(configuration.locales[0]).format(value)

private fun textOf(problem: Problem): String = listOf(problem.message, problem.hint).filter { it.isNotEmpty() }.joinToString("\n")

private fun Resources.textOf(problem: CameraProblem): String =
    getString(
        when (problem) {
            CameraProblem.NONE_HERE -> R.string.camera_none
            CameraProblem.IN_USE -> R.string.camera_in_use
            CameraProblem.BROKEN -> R.string.camera_broken
        },
    )

private fun stringOf(state: FindingState): Int =
    when (state) {
        FindingState.PRESENT -> R.string.finding_present
        FindingState.ABSENT -> R.string.finding_absent
        FindingState.UNSURE -> R.string.finding_unsure
    }

private fun stringOf(word: ReasonWord): Int =
    when (word) {
        ReasonWord.BLURRED -> R.string.reason_blurred
        ReasonWord.DARK -> R.string.reason_dark
        ReasonWord.BRIGHT -> R.string.reason_bright
        ReasonWord.GLARE -> R.string.reason_glare
        ReasonWord.NO_LESION -> R.string.reason_no_lesion
        ReasonWord.OFF_CENTRE -> R.string.reason_off_centre
        ReasonWord.UNLIKE -> R.string.reason_unlike
        ReasonWord.NOT_FINITE -> R.string.reason_not_finite
        ReasonWord.UNSURE -> R.string.reason_unsure
        ReasonWord.NOT_EXCLUDED -> R.string.reason_not_excluded
        ReasonWord.UNFAMILIAR -> R.string.reason_unfamiliar
    }
