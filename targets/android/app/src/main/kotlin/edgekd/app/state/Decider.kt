package edgekd.app.state

import edgekd.Classifier
import edgekd.Photo
import edgekd.Prediction
import edgekd.bundle.SignatureState
import java.io.Closeable

/** What decides on photos. */
interface Decider : Closeable {
    val notes: BundleNotes

    /** The prediction for an encoded photo; an [edgekd.EdgekdException] where it cannot be read. */
    suspend fun decide(jpeg: ByteArray): Prediction
}

/** An opened bundle. */
class ClassifierDecider(
    private val classifier: Classifier,
) : Decider {
    override val notes: BundleNotes =
        BundleNotes(
            warnings = classifier.warnings,
            intendedUse = classifier.intendedUse,
            sha256 = classifier.bundleSha256,
            signature =
                when (classifier.signature) {
                    SignatureState.NONE -> BundleNotes.Signature.NONE
                    SignatureState.NOT_CHECKED -> BundleNotes.Signature.NOT_CHECKED
                    SignatureState.VERIFIED -> BundleNotes.Signature.VERIFIED
                },
        )

    override suspend fun decide(jpeg: ByteArray): Prediction = classifier.predict(Photo.Encoded(jpeg))

    override fun close() = classifier.close()
}
