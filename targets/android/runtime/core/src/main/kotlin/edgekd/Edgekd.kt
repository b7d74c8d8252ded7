package edgekd

import edgekd.bundle.Bundle
import edgekd.bundle.RULE
import edgekd.bundle.SELFTEST
import edgekd.capture.FEATURES
import edgekd.engine.Engine
import edgekd.engine.EngineOptions
import edgekd.engine.EngineSession
import edgekd.engine.ModelFile
import edgekd.engine.installedEngines
import edgekd.engine.withHead
import edgekd.text.quoted
import java.io.File
import java.io.InputStream

/**
 * How to open a bundle.
 *
 * @property engine Threads and accelerator.
 * @property publicKey An Ed25519 public key, PEM or its 32 bytes: only a bundle that was signed with its private half
 *   is opened.
 * @property selfTest Run two of the bundle's self-test vectors, so that an engine that computes wrongly on this device
 *   is detected before its first patient.
 * @property quality Measure each photo and request another one where it is not good enough.
 * @property engines The engines to choose from; null takes those that the app's dependencies bring.
 */
class Options(
    val engine: EngineOptions = EngineOptions(),
    val publicKey: ByteArray? = null,
    val selfTest: Boolean = true,
    val quality: Boolean = true,
    val engines: List<Engine>? = null,
)

/**
 * Opens bundles.
 *
 * ```
 * Edgekd.open(context.assets.open("model.edgekd")).use { classifier ->
 *     val prediction = classifier.predict(Photo.Encoded(jpeg))
 * }
 * ```
 */
object Edgekd {
    /** Self-test vectors that are run when a bundle is opened. */
    private const val VECTORS_AT_OPEN = 2

    /**
     * Open the bytes of an `.edgekd` file; they never touch a disk, so that an app may decrypt them.
     *
     * @throws ArtefactException The bundle is damaged, unsigned, of an unknown version or not finished, or its self-test
     *   fails here.
     * @throws InputException The key is not an Ed25519 key.
     * @throws MissingDependencyException No engine for its file is among the app's dependencies.
     * @throws DeviceUnreachableException An accelerator is required and was not obtained.
     */
    fun open(
        bytes: ByteArray,
        options: Options = Options(),
    ): Classifier = open(Bundle.open(bytes, options.publicKey), options)

    /** Open a stream of an `.edgekd` file, such as an asset of an app; it is read to its end and closed. */
    fun open(
        stream: InputStream,
        options: Options = Options(),
    ): Classifier = open(stream.use { it.readBytes() }, options)

    /**
     * Open a bundle folder or an `.edgekd` file.
     *
     * @throws InputException There is nothing at the place.
     */
    fun open(
        place: File,
        options: Options = Options(),
    ): Classifier = open(Bundle.open(place, options.publicKey), options)

    private fun open(
        bundle: Bundle,
        options: Options,
    ): Classifier {
        refuseRule(bundle)
        val engine = engineFor(bundle, options.engines ?: installedEngines())
        refuseUnfinished(bundle)
        val name = bundle.manifest.modelFile
        val model = ModelFile(name.substringAfterLast('/'), bundle.file(name)) { bundle.read(name) }
        val session = withHead(engine.open(model, options.engine), bundle.manifest.head)
        val classifier = Classifier(bundle, session, options.quality)
        try {
            refuseShapes(bundle, session)
            if (options.selfTest && SELFTEST in bundle.manifest.files) {
                classifier.selfTest(VECTORS_AT_OPEN).requirePass()
            }
        } catch (error: EdgekdException) {
            classifier.close()
            throw error
        }
        return classifier
    }

    /** Refuse a bundle that this runtime would run wrongly. */
    private fun refuseRule(bundle: Bundle) {
        val manifest = bundle.manifest
        if (manifest.resize != RULE) {
            throw ArtefactException(
                "the bundle wants the preprocessing ${quoted(manifest.resize)}, this is ${quoted(RULE)}",
                "install the edgekd that built it, or build it again",
            )
        }
        val known = manifest.capture?.appearance
        if (known != null && known.mean.size != FEATURES) {
            throw ArtefactException(
                "the bundle knows ${known.mean.size} features of a photo, this is $FEATURES",
                "install the edgekd that built it, or build it again",
            )
        }
    }

    private val KNOWN_BACKENDS = setOf("onnx", "openvino", "tensorrt", "tflite")

    private fun engineFor(
        bundle: Bundle,
        engines: List<Engine>,
    ): Engine {
        val backend = bundle.manifest.backend
        engines.firstOrNull { it.backend == backend }?.let { return it }
        if (backend !in KNOWN_BACKENDS) {
            throw ArtefactException(
                "the bundle wants the engine ${quoted(backend)}, which this edgekd does not have",
                "install the edgekd that built it, or what brings the engine",
            )
        }
        throw MissingDependencyException(
            "no engine for $backend files is among the app's dependencies",
            "add edgekd-engine-litert (tflite) or edgekd-engine-onnxruntime (onnx), or build the bundle for another target",
        )
    }

    private fun refuseUnfinished(bundle: Bundle) {
        val manifest = bundle.manifest
        if (manifest.completion == "finish-on-device") {
            throw ArtefactException(
                "the bundle ${bundle.label} must be finished on its device first",
                "run there: ${manifest.completionCommand}",
            )
        }
    }

    /** Refuse a file whose input or output has another shape than the manifest describes. */
    private fun refuseShapes(
        bundle: Bundle,
        session: EngineSession,
    ) {
        val manifest = bundle.manifest
        val size = manifest.imageSize.toInt()
        val described = listOf(1, size, size, 3) to manifest.task.outputShape(manifest.classes)
        if ((session.inputShape to session.outputShape) == described) return
        throw ArtefactException(
            "the model file of ${bundle.label} maps ${session.inputShape} to ${session.outputShape}, " +
                "its manifest says ${described.first} to ${described.second}",
            "copy the bundle again, or build it again",
        )
    }
}
