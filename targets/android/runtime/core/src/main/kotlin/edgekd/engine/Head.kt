package edgekd.engine

import edgekd.ArtefactException
import edgekd.bundle.Head
import kotlin.math.sqrt

/**
 * The session that gives a bundle's outputs: itself where there is no head.
 *
 * @throws ArtefactException The file does not give the features that the head takes; it is closed then.
 */
internal fun withHead(
    session: EngineSession,
    head: Head?,
): EngineSession {
    if (head == null) return session
    if (session.outputShape != listOf(1, head.size)) {
        session.close()
        throw ArtefactException(
            "the model file gives ${session.outputShape}, the head takes features [1, ${head.size}]",
            "enrol the bundle again",
        )
    }
    return HeadSession(session, head)
}

/** Gives W·f/‖f‖ + b of the features f, in double precision, rounded to float; features of length 0 stay as they are. */
private class HeadSession(
    private val features: EngineSession,
    private val head: Head,
) : EngineSession by features {
    override val outputShape: List<Int> = listOf(1, head.bias.size)

    override fun run(image: ByteArray): FloatArray {
        val given = features.run(image)
        val length = sqrt(given.sumOf { it.toDouble() * it })
        val unit = given.map { if (length > 0) it / length else it.toDouble() }
        return FloatArray(head.bias.size) { row ->
            val weights = head.weights[row]
            (unit.indices.sumOf { unit[it] * weights[it] } + head.bias[row]).toFloat()
        }
    }
}
