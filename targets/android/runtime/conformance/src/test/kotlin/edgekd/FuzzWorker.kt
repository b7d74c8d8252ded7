package edgekd

import edgekd.engine.EngineOptions
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import java.io.DataInputStream
import java.io.EOFException
import java.io.File
import java.io.PrintStream
import kotlin.math.abs

/** Bytes that a case may take, the native libraries included: as in Python's fuzz. */
private const val MOST_MEMORY = 1_000_000_000L
private const val LONGEST_TEXT = 1000
private const val NANOSECONDS_A_MILLISECOND = 1e6
private val ONE_THREAD = EngineOptions(threads = 1)

/**
 * A process that runs cases of the fuzz, and may die of them: `tests/abuse/jvm.py` starts it and sends the cases.
 *
 * The folder of the first argument has `whole.edgekd` and `photo.rgb`; the second and third are the photo's sides.
 * A case comes in as its kind (a letter), a flag, the length of the content in four bytes, and the content: `I` an image,
 * `B` a bundle, `P` the path of one; the flag is whether the self-test runs. A line of JSON goes out.
 */
fun main(arguments: Array<String>) {
    val (folder, width, height) = arguments
    val replies = System.out
    System.setOut(System.err)
    val worker = FuzzWorker(File(folder), width.toInt(), height.toInt())
    replies.println("ready")
    replies.flush()
    val cases = DataInputStream(System.`in`.buffered())
    while (true) {
        val kind =
            try {
                cases.readByte().toInt().toChar()
            } catch (_: EOFException) {
                return
            }
        val selfTest = cases.readByte() != 0.toByte()
        val content = ByteArray(cases.readInt()).also { cases.readFully(it) }
        reply(replies, worker.run(kind, selfTest, content))
    }
}

private fun reply(
    replies: PrintStream,
    answer: FuzzAnswer,
) {
    val line =
        buildJsonObject {
            put("group", "")
            put("outcome", answer.outcome)
            put("failure", answer.failure)
            put("peak", answer.peak)
            put("ms", answer.milliseconds)
        }
    replies.println(line)
    replies.flush()
}

private class FuzzAnswer(
    val outcome: String,
    val failure: String,
    val peak: Long,
    val milliseconds: Double,
)

private class FuzzWorker(
    folder: File,
    width: Int,
    height: Int,
) {
    private val photo = Photo.Rgb(File(folder, "photo.rgb").readBytes(), width, height)
    private val whole = Edgekd.open(File(folder, "whole.edgekd"), Options(engine = ONE_THREAD))
    private val right = whole.predictNow(photo).logits

    fun run(
        kind: Char,
        selfTest: Boolean,
        content: ByteArray,
    ): FuzzAnswer {
        forgetPeak()
        val start = System.nanoTime()
        val (outcome, failure) =
            try {
                val prediction = if (kind == 'I') lookAt(content) else open(kind, selfTest, content)
                prediction.decision.name to contradictions(prediction)
            } catch (error: EdgekdException) {
                kindOf(error) to untidy(error)
            } catch (error: Throwable) {
                val place = error.stackTrace.firstOrNull { "edgekd" in it.className }
                error.javaClass.simpleName to "$error at $place".take(LONGEST_TEXT)
            }
        val milliseconds = (System.nanoTime() - start) / NANOSECONDS_A_MILLISECOND
        val peak = peak()
        val hungry = failure.isEmpty() && peak > MOST_MEMORY
        return FuzzAnswer(outcome, if (hungry) "memory: ${peak / 1_000_000} MB" else failure, peak, milliseconds)
    }

    private fun open(
        kind: Char,
        selfTest: Boolean,
        content: ByteArray,
    ): Prediction {
        val options = Options(engine = ONE_THREAD, selfTest = selfTest)
        val classifier = if (kind == 'P') Edgekd.open(File(String(content)), options) else Edgekd.open(content, options)
        return classifier.use { it.predictNow(photo) }
    }

    private fun lookAt(content: ByteArray): Prediction =
        try {
            whole.predictNow(Photo.Encoded(content))
        } finally {
            check(whole.predictNow(photo).logits == right) { "the classifier is spoilt for the photos that follow" }
        }

    private fun untidy(error: EdgekdException): String {
        val texts = listOf(error.message, error.hint)
        val tidy = texts.all { it.isNotBlank() && it.length <= LONGEST_TEXT && it.none(Char::isISOControl) }
        return if (tidy) "" else "untidy ${error.javaClass.simpleName}: $texts".take(LONGEST_TEXT)
    }

    /** A device must not answer from numbers that are none. */
    private fun contradictions(prediction: Prediction): String {
        val finite = prediction.logits.all(Float::isFinite) && prediction.probability?.isFinite() == true
        val answers = prediction.decision == Decision.Answer
        return when {
            answers && (!finite || prediction.reasons.isNotEmpty()) -> "an answer from $prediction"
            !answers && prediction.reasons.isEmpty() -> "${prediction.decision.name} without a reason"
            finite && abs(prediction.probabilities.values.sum() - 1) > 1e-6 -> "probabilities ${prediction.probabilities}"
            else -> ""
        }
    }

    private fun forgetPeak() {
        runCatching { File("/proc/self/clear_refs").writeText("5") }
    }

    private fun peak(): Long =
        File("/proc/self/status")
            .readLines()
            .first { it.startsWith("VmHWM") }
            .filter(Char::isDigit)
            .toLong() * 1024
}

private fun kindOf(error: EdgekdException): String =
    when (error) {
        is ImageException -> "ImageError"
        is InputException -> "InputError"
        is ArtefactException -> "ArtefactError"
        is MissingDependencyException -> "MissingDependencyError"
        is DeviceUnreachableException -> "DeviceUnreachableError"
    }
