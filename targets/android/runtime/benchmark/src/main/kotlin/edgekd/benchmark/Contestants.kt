package edgekd.benchmark

import edgekd.Edgekd
import edgekd.Options
import edgekd.Photo
import edgekd.engine.EngineOptions
import java.util.zip.ZipInputStream

private val ONE_THREAD = EngineOptions(threads = 1)

/** From the bytes of a JPEG to a decision. */
internal interface Contestant : AutoCloseable {
    fun decide(jpeg: ByteArray): Any
}

/**
 * A contestant by its name, opened on an `.edgekd` file for LiteRT.
 *
 * @param shorter The shorter side of the photos to come.
 */
internal fun contestant(
    name: String,
    bundle: ByteArray,
    shorter: Int,
): Contestant =
    when (name) {
        "edgekd" -> classifier(bundle, Options(engine = ONE_THREAD))
        "edgekd-without-quality" -> classifier(bundle, Options(engine = ONE_THREAD, quality = false))
        "loop" -> loop(bundle, shorter)
        "loop-of-all-pixels" -> loop(bundle, null)
        else -> error("there is no contestant $name")
    }

private fun classifier(
    bundle: ByteArray,
    options: Options,
): Contestant {
    val classifier = Edgekd.open(bundle, options)
    return object : Contestant, AutoCloseable by classifier {
        override fun decide(jpeg: ByteArray): Any = classifier.predictNow(Photo.Encoded(jpeg))
    }
}

private fun loop(
    bundle: ByteArray,
    shorter: Int?,
): Contestant {
    val loop = PlainLoop(modelIn(bundle), shorter)
    return object : Contestant, AutoCloseable by loop {
        override fun decide(jpeg: ByteArray): Any = loop.decide(jpeg)
    }
}

/** The LiteRT file of a bundle. */
internal fun modelIn(bundle: ByteArray): ByteArray =
    ZipInputStream(bundle.inputStream()).use { zip ->
        checkNotNull(generateSequence(zip::getNextEntry).find { it.name.endsWith(".tflite") }) { "the bundle is not for LiteRT" }
        zip.readBytes()
    }
