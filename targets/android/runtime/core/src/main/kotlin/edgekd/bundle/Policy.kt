package edgekd.bundle

import edgekd.text.fixed
import edgekd.text.general
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive

private val VERDICTS =
    mapOf("not-inferior" to "not inferior", "inferior" to "inferior", "not-shown" to "not shown either way")

/** The sentence that a device must show with a file that was built without labelled images and never judged; else null. */
internal fun certificateWarning(
    certificate: JsonObject,
    enrolled: Boolean,
): String? {
    if (certificate.text("certified") == "true") return null
    val mark = if (enrolled) "enrolled" else "for research"
    return "$mark, not certified: ${certificate["reason"].orNull()?.content ?: "None"}"
}

/** Sentences that a device must show with a bundle: floors of its policy that its file does not reach. */
internal fun policyWarnings(policy: JsonObject): List<String> {
    val floors = policy["floors"]?.jsonArray.orEmpty().map { it.jsonObject }
    val unmet = floors.filter { it.text("met") == "false" }.map(::floorSentence)
    return (unmet + listOfNotNull(teacherSentence(policy["teacher"] as? JsonObject))).map { "for research, floor not met: $it" }
}

private fun floorSentence(floor: JsonObject): String {
    val quantity = floor.text("quantity")
    val least =
        general(
            floor
                .getValue("least")
                .jsonPrimitive.content
                .toDouble(),
            3,
        )
    val value = floor.number("value") ?: return "$quantity cannot be measured, and $least is demanded"
    val low = floor.number("low")
    val interval = if (low == null) "" else " [${fixed(low, 3)}, ${fixed(floor.number("high") ?: Double.NaN, 3)}]"
    val demanded = if (floor.text("by") == "low") "the lower end" else "the value"
    val met = floor.text("met") == "true"
    val verdict =
        if (floor.text("code") == "beyond-chance") {
            if (met) "exceeds" else "does not exceed"
        } else {
            if (met) "reaches" else "does not reach"
        }
    return "$quantity is ${fixed(value, 3)}$interval; $demanded $verdict $least"
}

/** The comparison with the teacher, where the policy requires a margin that was not shown to be kept; else null. */
private fun teacherSentence(teacher: JsonObject?): String? {
    val state = teacher?.text("state")
    if (teacher == null || teacher["required"]?.jsonPrimitive?.content != "true" || state == "not-inferior") return null
    val metric = teacher.text("metric").replace('_', ' ')
    val deficit =
        teacher.number("deficit")
            ?: return "$metric beside the teacher: not measured, ${teacher["reason"].orNull()?.content ?: "None"}"
    val low = teacher.number("low")
    val interval = if (low == null) "" else " [${signed(low)}, ${signed(teacher.number("high") ?: Double.NaN)}]"
    val margin =
        general(
            teacher
                .getValue("margin")
                .jsonPrimitive.content
                .toDouble(),
            3,
        )
    return "$metric of the teacher minus that of the file: ${signed(deficit)}$interval, margin $margin: ${VERDICTS[state]}"
}

private fun signed(value: Double): String = fixed(value, 3).let { if (it.startsWith("-")) it else "+$it" }
