package edgekd.tasks

import edgekd.FindingState
import edgekd.Reason
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject

/** The decision on the network's output for one image; the quality of the photo is judged elsewhere. */
internal class Judgement(
    val label: String,
    val reasons: List<Reason.Output>,
    val probability: Double?,
    val probabilities: Map<String, Double>,
    val conformalSet: List<String>?,
    val findings: Map<String, FindingState>,
)

/** What a task makes of a network's outputs, by the section `decision` of the manifest. */
internal interface Task {
    /** Why the section is of wrong types; null where it is not. */
    fun problemOf(decision: JsonElement): String?

    /** How a section of right types contradicts itself or the model. */
    fun contradictions(
        classes: List<String>,
        decision: JsonObject,
    ): List<String>

    /** Shape of the network's output, the batch of one first. */
    fun outputShape(classes: List<String>): List<Int>

    fun judge(
        logits: FloatArray,
        classes: List<String>,
        decision: JsonObject,
    ): Judgement

    /** Whether two outputs give the same answer. */
    fun agree(
        one: FloatArray,
        other: FloatArray,
    ): Boolean
}

/** The task of a name, or null. */
internal fun taskNamed(name: String): Task? = TASKS[name]

private val TASKS = mapOf("classification" to Classification, "multilabel" to Multilabel)

/** The reason to refer an image whose energy is above the threshold. */
internal fun unfamiliar(
    energy: Double,
    threshold: Double?,
): List<Reason.Output> {
    if (threshold == null || energy <= threshold) return emptyList()
    val numbers = "its energy ${edgekd.text.fixed(energy, 2)} is above ${edgekd.text.fixed(threshold, 2)}"
    return listOf(Reason.Output("unfamiliar", "the image is unlike what was learnt: $numbers"))
}

internal val NOT_FINITE = Reason.Output("not-finite", "the network's output is not finite")

internal fun isFinite(logits: FloatArray): Boolean = logits.all { it.isFinite() }
