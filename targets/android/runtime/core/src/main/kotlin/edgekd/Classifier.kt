package edgekd

import edgekd.bundle.Bundle
import edgekd.bundle.CaptureRule
import edgekd.bundle.SELFTEST
import edgekd.bundle.SelfTestVectors
import edgekd.bundle.SignatureState
import edgekd.capture.examine
import edgekd.capture.problems
import edgekd.engine.EngineSession
import edgekd.images.Square
import edgekd.images.squareOf
import edgekd.text.general
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.conflate
import kotlinx.coroutines.flow.flowOn
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.withContext
import java.io.Closeable
import java.util.concurrent.locks.ReentrantLock
import kotlin.concurrent.withLock
import kotlin.math.abs

private const val NANOSECONDS_A_MILLISECOND = 1e6

/**
 * An opened bundle with its engine; open one with [Edgekd.open].
 *
 * Threads and coroutines may share it: photos are decoded in parallel, the engine runs one at a time.
 */
class Classifier internal constructor(
    private val bundle: Bundle,
    private val session: EngineSession,
    quality: Boolean,
) : Closeable {
    private val manifest = bundle.manifest
    private val rule: CaptureRule? = if (quality) manifest.capture else null
    private val lock = ReentrantLock()
    private var open = true

    /** Names of classes or findings in the order of the outputs. */
    val classes: List<String> get() = manifest.classes

    /** S, the side of the network's input in pixels. */
    val imageSize: Int get() = manifest.imageSize.toInt()

    /** What the bundle is for, and for whom. */
    val intendedUse: String get() = manifest.intendedUse

    /** Hex SHA-256 of the bundle, by which reports name it. */
    val bundleSha256: String get() = bundle.sha256

    /** Whether the bundle is signed, and verified by the key that was given. */
    val signature: SignatureState get() = bundle.signature

    /** The engine with its version, and the options that it obtained. */
    val facts: Map<String, String> get() = session.facts

    /** One sentence for each option that was not obtained, a missing certificate, each floor that is not met; to be shown. */
    val warnings: List<String> get() = session.warnings + manifest.warnings

    /**
     * The decision for one photo, computed on [dispatcher].
     *
     * @throws ImageException The photo cannot be read.
     */
    suspend fun predict(
        photo: Photo,
        dispatcher: CoroutineDispatcher = Dispatchers.Default,
    ): Prediction = withContext(dispatcher) { predictNow(photo) }

    /** The decisions for the frames of a camera; frames that come while one is computed are skipped, the last one not. */
    fun predict(
        frames: Flow<Photo>,
        dispatcher: CoroutineDispatcher = Dispatchers.Default,
    ): Flow<Prediction> = frames.conflate().map { predictNow(it) }.flowOn(dispatcher)

    /**
     * The decision for one photo, computed on the calling thread.
     *
     * Where there are several processors, another thread looks for damage of a JPEG while it is decoded, and at the quality of
     * the photo while the engine runs.
     */
    fun predictNow(photo: Photo): Prediction {
        val (square, preprocessing) = timed { preprocess(photo) }
        if (rule == null) {
            val (logits, inference) = timed { logits(square.rgb) }
            return prediction(logits, null, Timings(preprocessing, 0.0, inference))
        }
        val (answered, seen) = beside({ timed { examine(square, rule) } }) { timed { logits(square.rgb) } }
        return prediction(answered.first, seen.first, Timings(preprocessing, seen.second, answered.second))
    }

    /** The photo as the network gets it: RGB, row by row, S · S · 3 bytes. */
    fun preprocessed(photo: Photo): ByteArray = preprocess(photo).rgb

    /** Raw output for a photo that was preprocessed. */
    fun logits(square: ByteArray): FloatArray =
        lock.withLock {
            check(open) { "the classifier is closed" }
            if (square.size != imageSize * imageSize * 3) {
                throw InputException(
                    "the image has ${square.size} bytes, not $imageSize x $imageSize x 3",
                    "prepare it with `preprocessed`",
                )
            }
            session.run(square)
        }

    /**
     * Run the bundle's self-test vectors on this device, at most [limit] of them.
     *
     * @throws ArtefactException The bundle carries none, or they are damaged.
     */
    fun selfTest(limit: Int? = null): SelfTestReport {
        if (SELFTEST !in manifest.files) {
            throw ArtefactException("the bundle carries no self-test vectors", "build it again")
        }
        val vectors = SelfTestVectors.read(bundle.read(SELFTEST), limit)
        val belongs = listOf(1) + vectors.imageShape == session.inputShape && listOf(1) + vectors.outputShape == session.outputShape
        if (!belongs) {
            throw ArtefactException(
                "the self-test vectors do not belong to the model file",
                "copy the bundle again, or build it again",
            )
        }
        val outputs = vectors.images.map(::logits)
        val differences = outputs.indices.flatMap { differences(outputs[it], vectors.outputs[it]) }
        val largest = if (differences.any { it.isNaN() }) Double.NaN else differences.max()
        return SelfTestReport(
            passed = largest <= vectors.tolerance, // false for NaN
            images = outputs.size,
            maxDifference = largest,
            tolerance = vectors.tolerance,
            flips = outputs.indices.count { !manifest.task.agree(vectors.outputs[it], outputs[it]) },
        )
    }

    /** Release the engine, after the photo that is being processed. */
    override fun close() {
        lock.withLock {
            if (open) session.close()
            open = false
        }
        bundle.close()
    }

    private fun preprocess(photo: Photo): Square =
        when (photo) {
            is Photo.Encoded -> squareOf(photo.bytes, imageSize)
            is Photo.Rgb -> squareOf(photo.pixels, photo.width, photo.height, imageSize)
            is Photo.Yuv -> squareOf(photo, imageSize)
        }

    private fun prediction(
        logits: FloatArray,
        quality: CaptureQuality?,
        timings: Timings,
    ): Prediction {
        val judgement = manifest.task.judge(logits, classes, manifest.section)
        val faults = if (quality == null || rule == null) emptyList() else problems(quality, rule)
        val reasons = faults + judgement.reasons
        return Prediction(
            label = judgement.label,
            probability = judgement.probability,
            probabilities = judgement.probabilities,
            decision =
                when {
                    faults.isNotEmpty() -> Decision.Retake(reasons)
                    reasons.isNotEmpty() -> Decision.Refer(reasons)
                    else -> Decision.Answer
                },
            reasons = reasons,
            conformalSet = judgement.conformalSet,
            quality = quality,
            logits = logits.toList(),
            findings = judgement.findings,
            timings = timings,
        )
    }

    private fun differences(
        one: FloatArray,
        other: FloatArray,
    ): List<Double> = one.indices.map { abs(one[it] - other[it]).toDouble() }

    /** What [work] gives, and how many milliseconds it took. */
    private fun <T> timed(work: () -> T): Pair<T, Double> {
        val start = System.nanoTime()
        val result = work()
        return result to (System.nanoTime() - start) / NANOSECONDS_A_MILLISECOND
    }
}

/**
 * Outcome of a self-test.
 *
 * @property passed Whether every output value lies within the tolerance.
 * @property images Number of vectors that were run.
 * @property maxDifference Largest absolute difference of an output; NaN where one was not finite.
 * @property tolerance The tolerance of the bundle.
 * @property flips Number of vectors whose answer changed.
 */
data class SelfTestReport(
    val passed: Boolean,
    val images: Int,
    val maxDifference: Double,
    val tolerance: Double,
    val flips: Int,
) {
    /** @throws ArtefactException An output differs by more than the tolerance. */
    fun requirePass() {
        if (passed) return
        val numbers = "${general(maxDifference, 3)}, more than ${general(tolerance, 3)}"
        throw ArtefactException(
            "the self-test fails on this machine: an output is off by $numbers",
            "do not use it here; report the machine and the engine",
        )
    }
}
