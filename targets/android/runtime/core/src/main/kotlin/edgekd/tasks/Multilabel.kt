package edgekd.tasks

import edgekd.FindingState
import edgekd.Reason
import edgekd.bundle.number
import edgekd.text.first
import edgekd.text.quoted
import edgekd.text.share
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonPrimitive
import kotlin.math.abs
import kotlin.math.exp
import kotlin.math.ln1p
import kotlin.math.max

private const val PRESENT_FROM = 0.5
private val FIELDS =
    mapOf(
        "temperature" to Kind.NUMBER,
        "present_from" to Kind.NUMBERS_BY_NAME_OR_NULL,
        "absent_below" to Kind.NUMBERS_BY_NAME_OR_NULL,
        "critical" to Kind.TEXTS,
        "threshold_sensitivity" to Kind.NUMBER_OR_NULL,
        "refer_coverage" to Kind.NUMBER_OR_NULL,
        "energy_threshold" to Kind.NUMBER_OR_NULL,
        "energy_kept" to Kind.NUMBER_OR_NULL,
        "fitted_on" to Kind.OBJECT,
    )

/** Findings that may occur together. */
internal object Multilabel : Task {
    override fun problemOf(decision: JsonElement): String? = problemOf(decision, FIELDS)

    override fun contradictions(
        classes: List<String>,
        decision: JsonObject,
    ): List<String> {
        val problems = mutableListOf<String>()
        val temperature = decision.number("temperature") ?: 1.0
        if (!(temperature in 1e-3..<1e4)) problems += "temperature must lie between 0.001 and 10000"
        val names = decision.numbersByName("present_from").keys + decision.numbersByName("absent_below").keys
        val strange = (names + criticalOf(decision)).firstOrNull { it !in classes }
        if (strange != null) problems += "${quoted(first(strange, 40))} of the decision is no finding of the model"
        val limits = Limits(decision)
        val unordered =
            names.firstOrNull { limits.absent(it) !in 0.0..limits.present(it) || limits.present(it) > 1 }
        if (unordered != null) {
            problems += "the thresholds of ${quoted(first(unordered, 40))} must be ordered " +
                "0 <= absent_below <= present_from <= 1"
        }
        return problems
    }

    override fun outputShape(classes: List<String>): List<Int> = listOf(1, classes.size)

    override fun judge(
        logits: FloatArray,
        classes: List<String>,
        decision: JsonObject,
    ): Judgement {
        val probabilities = probabilities(logits, decision.number("temperature") ?: 1.0)
        val limits = Limits(decision)
        val findings =
            classes.indices.associate { index ->
                val name = classes[index]
                name to stateOf(probabilities[index], limits.absent(name), limits.present(name))
            }
        val shares = classes.zip(probabilities.toList()).toMap()
        val present = findings.filterValues { it == FindingState.PRESENT }.keys
        return Judgement(
            label = if (present.isEmpty()) NOTHING else present.joinToString(";"),
            reasons = reasons(logits, shares, findings, decision),
            probability = null,
            probabilities = shares,
            conformalSet = null,
            findings = findings,
        )
    }

    override fun agree(
        one: FloatArray,
        other: FloatArray,
    ): Boolean = isFinite(one) && isFinite(other) && one.indices.all { (one[it] >= 0) == (other[it] >= 0) }

    private fun stateOf(
        probability: Double,
        absent: Double,
        present: Double,
    ): FindingState =
        when {
            probability >= present -> FindingState.PRESENT
            probability < absent -> FindingState.ABSENT
            else -> FindingState.UNSURE
        }

    /** The sigmoid of the logits over the temperature; all NaN where a logit is not finite. */
    private fun probabilities(
        logits: FloatArray,
        temperature: Double,
    ): DoubleArray {
        if (!isFinite(logits)) return DoubleArray(logits.size) { Double.NaN }
        return DoubleArray(logits.size) {
            val scaled = logits[it].toDouble() / temperature
            val small = exp(-abs(scaled)) // never above 1, so it cannot overflow
            (if (scaled >= 0) 1.0 else small) / (1.0 + small)
        }
    }

    /** −Σ log(1 + exp z) over the findings (Wang et al. 2021, JointEnergy). */
    private fun energy(logits: FloatArray): Double = -logits.sumOf { max(it.toDouble(), 0.0) + ln1p(exp(-abs(it.toDouble()))) }

    private fun reasons(
        logits: FloatArray,
        shares: Map<String, Double>,
        findings: Map<String, FindingState>,
        decision: JsonObject,
    ): List<Reason.Output> {
        if (!isFinite(logits)) return listOf(NOT_FINITE)
        val unsure = findings.filterValues { it == FindingState.UNSURE }.keys
        return unfamiliar(energy(logits), decision.number("energy_threshold")) +
            unsure.map { uncertain(it, shares.getValue(it), decision) }
    }

    private fun uncertain(
        name: String,
        probability: Double,
        decision: JsonObject,
    ): Reason.Output {
        val absent = share(Limits(decision).absent(name))
        val present = share(Limits(decision).present(name))
        val shown = share(probability)
        if (name in criticalOf(decision)) {
            return Reason.Output("not-excluded", "$name cannot be excluded: its probability $shown reaches $absent")
        }
        return Reason.Output("unsure", "the probability $shown of $name lies between $absent and $present")
    }

    private fun criticalOf(decision: JsonObject): List<String> = decision["critical"]?.jsonArray.orEmpty().map { it.jsonPrimitive.content }

    private class Limits(
        decision: JsonObject,
    ) {
        private val presentFrom = decision.numbersByName("present_from")
        private val absentBelow = decision.numbersByName("absent_below")

        fun present(name: String): Double = presentFrom[name] ?: PRESENT_FROM

        fun absent(name: String): Double = absentBelow[name] ?: present(name)
    }

    private const val NOTHING = "none"
}
