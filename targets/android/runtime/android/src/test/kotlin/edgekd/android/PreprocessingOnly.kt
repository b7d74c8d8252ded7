package edgekd.android

import edgekd.Classifier
import edgekd.Edgekd
import edgekd.Options
import edgekd.engine.Engine
import edgekd.engine.EngineOptions
import edgekd.engine.EngineSession
import edgekd.engine.ModelFile
import edgekd.testing.Vectors

/** An engine that runs nothing: what is tested here ends with the square that a network gets. */
private object NoEngine : Engine {
    override val backend = "onnx"

    override fun open(
        model: ModelFile,
        options: EngineOptions,
    ): EngineSession =
        object : EngineSession {
            override val inputShape = listOf(1, 32, 32, 3)
            override val outputShape = listOf(1, 3)
            override val facts = emptyMap<String, String>()
            override val warnings = emptyList<String>()

            override fun run(image: ByteArray): FloatArray = error("no network runs here")

            override fun close() = Unit
        }
}

/** A bundle of the vectors, to prepare photos with. */
internal fun preprocessingOnly(): Classifier =
    Edgekd.open(Vectors.bytes("predicted/fp32-onnx.edgekd"), Options(selfTest = false, engines = listOf(NoEngine)))
