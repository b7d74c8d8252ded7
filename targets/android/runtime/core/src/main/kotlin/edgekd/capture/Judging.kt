package edgekd.capture

import edgekd.CaptureQuality
import edgekd.Reason
import edgekd.bundle.CaptureRule
import edgekd.bundle.Sentence
import edgekd.images.Square
import edgekd.text.general

private const val UNLIKE = "unlike"

/** Reason codes by measure: for a value below its limits, and for one above. */
private val CODES =
    mapOf(
        "sharpness" to ("blurred" to null),
        "brightness" to ("dark" to "bright"),
        "glare" to (null to "glare"),
        "contrast" to ("no-lesion" to null),
        "off_centre" to (null to "off-centre"),
    )

/** Sentences for bundles of a format before 1.6, which carry none and are for dermoscopy. */
private val SENTENCES_BEFORE_1_6 =
    mapOf(
        "blurred" to Sentence("the photo is blurred", "hold still and focus"),
        "dark" to Sentence("the photo is too dark", "switch the light on"),
        "bright" to Sentence("the photo is too bright", "lower the exposure"),
        "glare" to Sentence("the photo has glare", "tilt it, or use contact fluid"),
        "no-lesion" to Sentence("no lesion stands out from the skin", "point at the lesion"),
        "off-centre" to Sentence("the lesion is cut off or off centre", "centre it"),
        UNLIKE to Sentence("the photo looks like none that the network learnt", "point at a lesion"),
    )

internal fun examine(
    square: Square,
    rule: CaptureRule,
): CaptureQuality {
    val views = viewsOf(square)
    return CaptureQuality(measuresOf(views), rule.appearance?.let { distanceOf(featuresOf(views), it) })
}

/** Why the photo should be taken again; empty where it need not. */
internal fun problems(
    quality: CaptureQuality,
    rule: CaptureRule,
): List<Reason.Photo> = outOfLimits(quality, rule) + unlike(quality, rule)

private fun outOfLimits(
    quality: CaptureQuality,
    rule: CaptureRule,
): List<Reason.Photo> {
    val values = quality.measures.toMap()
    val reasons = mutableListOf<Reason.Photo>()
    for ((name, limit) in rule.limits) {
        val value = values[name] ?: continue // a measure of a newer edgekd
        val (low, high) = CODES.getValue(name)
        if (low != null && limit.low != null && value < limit.low) {
            reasons += reason(rule, low, name, "${general(value, 3)} is below ${general(limit.low, 3)}")
        }
        if (high != null && limit.high != null && value > limit.high) {
            reasons += reason(rule, high, name, "${general(value, 3)} is above ${general(limit.high, 3)}")
        }
    }
    return reasons
}

private fun unlike(
    quality: CaptureQuality,
    rule: CaptureRule,
): List<Reason.Photo> {
    val distance = quality.distance ?: return emptyList()
    val limit = rule.appearance?.limit ?: return emptyList()
    if (distance <= limit) return emptyList() // false for NaN, which is unlike everything
    return listOf(reason(rule, UNLIKE, "distance", "${general(distance, 3)} is above ${general(limit, 3)}"))
}

private fun reason(
    rule: CaptureRule,
    code: String,
    name: String,
    numbers: String,
): Reason.Photo {
    val sentences = rule.sentences.ifEmpty { SENTENCES_BEFORE_1_6 }
    val sentence = sentences[code] ?: Sentence("the photo is $code", "take another")
    return Reason.Photo(code, "${sentence.problem} (${name.replace('_', ' ')} $numbers): ${sentence.remedy}")
}
