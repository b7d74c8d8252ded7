package edgekd.tasks

import edgekd.Reason
import edgekd.bundle.number
import edgekd.text.first
import edgekd.text.fixed
import edgekd.text.quoted
import edgekd.text.share
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlin.math.exp
import kotlin.math.ln

private val FIELDS =
    mapOf(
        "temperature" to Kind.NUMBER,
        "thresholds" to Kind.NUMBERS_BY_NAME_OR_NULL,
        "threshold_sensitivity" to Kind.NUMBER_OR_NULL,
        "refer_below" to Kind.NUMBER_OR_NULL,
        "refer_coverage" to Kind.NUMBER_OR_NULL,
        "energy_threshold" to Kind.NUMBER_OR_NULL,
        "energy_kept" to Kind.NUMBER_OR_NULL,
        "conformal_quantile" to Kind.NUMBER_OR_NULL,
        "conformal_coverage" to Kind.NUMBER_OR_NULL,
        "fitted_on" to Kind.OBJECT,
    )

/** One class for an image. */
internal object Classification : Task {
    override fun problemOf(decision: JsonElement): String? = problemOf(decision, FIELDS)

    override fun contradictions(
        classes: List<String>,
        decision: JsonObject,
    ): List<String> {
        val problems = mutableListOf<String>()
        if (classes.size < 2) problems += "there must be two or more different names of classes"
        if (!(temperatureOf(decision) in 1e-3..<1e4)) problems += "temperature must lie between 0.001 and 10000"
        val known = classes.toSet()
        val wrong =
            decision.numbersByName("thresholds").entries.firstOrNull { it.key !in known || it.value !in 0.0..1.0 }
        if (wrong != null) {
            problems += "the threshold of ${quoted(first(wrong.key, 40))} must be of a class and lie between 0 and 1"
        }
        for (name in listOf("refer_below", "conformal_quantile")) {
            val value = decision.number(name)
            if (value != null && value !in 0.0..1.0) problems += "$name must lie between 0 and 1"
        }
        return problems
    }

    override fun outputShape(classes: List<String>): List<Int> = listOf(1, classes.size)

    override fun judge(
        logits: FloatArray,
        classes: List<String>,
        decision: JsonObject,
    ): Judgement {
        val probabilities = probabilities(logits, temperatureOf(decision))
        val thresholds = decision.numbersByName("thresholds")
        val top = indexOfLargest(logits)
        return Judgement(
            label = classes[top],
            reasons = reasons(logits, probabilities, classes, decision, thresholds),
            probability = probabilities[top],
            probabilities = classes.zip(probabilities.toList()).toMap(),
            conformalSet = decision.number("conformal_quantile")?.let { plausible(probabilities, classes, it, thresholds) },
            findings = emptyMap(),
        )
    }

    override fun agree(
        one: FloatArray,
        other: FloatArray,
    ): Boolean = indexOfLargest(one) == indexOfLargest(other)

    /** Softmax of the logits over the temperature, in doubles; all NaN where a logit is not finite. */
    internal fun probabilities(
        logits: FloatArray,
        temperature: Double,
    ): DoubleArray {
        if (!isFinite(logits)) return DoubleArray(logits.size) { Double.NaN }
        val scaled = logits.map { it.toDouble() / temperature }
        val largest = scaled.max()
        val exponents = scaled.map { exp(it - largest) }
        val sum = exponents.sum()
        return DoubleArray(logits.size) { exponents[it] / sum }
    }

    /** −log Σ exp(z) of the raw logits (Liu et al. 2020, equation 4 with T = 1). */
    internal fun energy(logits: FloatArray): Double {
        if (!isFinite(logits)) return Double.POSITIVE_INFINITY
        val largest = logits.max().toDouble()
        return -(largest + ln(logits.sumOf { exp(it.toDouble() - largest) }))
    }

    private fun reasons(
        logits: FloatArray,
        probabilities: DoubleArray,
        classes: List<String>,
        decision: JsonObject,
        thresholds: Map<String, Double>,
    ): List<Reason.Output> {
        if (!probabilities.all { it.isFinite() }) return listOf(NOT_FINITE)
        return unfamiliar(energy(logits), decision.number("energy_threshold")) +
            unsure(probabilities, decision.number("refer_below")) +
            notExcluded(probabilities, classes, thresholds)
    }

    private fun unsure(
        probabilities: DoubleArray,
        least: Double?,
    ): List<Reason.Output> {
        val top = probabilities.max()
        if (least == null || top >= least) return emptyList()
        return listOf(Reason.Output("unsure", "the top probability ${fixed(top, 2)} is below ${fixed(least, 2)}"))
    }

    private fun notExcluded(
        probabilities: DoubleArray,
        classes: List<String>,
        thresholds: Map<String, Double>,
    ): List<Reason.Output> {
        val top = probabilities.indices.first { probabilities[it] == probabilities.max() }
        return classes.indices.filter { it != top && reaches(probabilities[it], thresholds[classes[it]]) }.map {
            val numbers = "${share(probabilities[it])} reaches ${share(thresholds.getValue(classes[it]))}"
            Reason.Output("not-excluded", "${classes[it]} cannot be excluded: its probability $numbers")
        }
    }

    private fun plausible(
        probabilities: DoubleArray,
        classes: List<String>,
        quantile: Double,
        thresholds: Map<String, Double>,
    ): List<String> {
        val top = probabilities.max()
        return classes.filterIndexed { index, name ->
            val probability = probabilities[index]
            // "Not above" instead of "up to": NaN compares false with everything and must stay in.
            !(1.0 - probability > quantile) || probability == top || reaches(probability, thresholds[name])
        }
    }

    private fun reaches(
        probability: Double,
        threshold: Double?,
    ): Boolean = threshold != null && probability >= threshold

    private fun temperatureOf(decision: JsonObject): Double = decision.number("temperature") ?: 1.0

    /** The first of the largest; of a NaN, as NumPy's argmax has it, that of the first NaN. */
    private fun indexOfLargest(logits: FloatArray): Int {
        val strange = logits.indexOfFirst { it.isNaN() }
        return if (strange >= 0) strange else logits.indices.maxBy { logits[it] }
    }
}
