package edgekd.app.state

/**
 * What the screen shows.
 *
 * @property bundle What the bundle says of itself, shown in every phase; null before it is open.
 */
data class Screen(
    val phase: Phase = Phase.Opening,
    val bundle: BundleNotes? = null,
)

/**
 * What a bundle says of itself.
 *
 * @property warnings Sentences that must be shown with every answer.
 * @property signature Whether its signature was verified.
 */
data class BundleNotes(
    val warnings: List<String>,
    val intendedUse: String,
    val sha256: String,
    val signature: Signature,
) {
    /** The state of a bundle's signature. */
    enum class Signature { NONE, NOT_CHECKED, VERIFIED }
}

/** Where the examination of a lesion has got to. */
sealed interface Phase {
    /** The bundle is opened, and its self-test is run. */
    data object Opening : Phase

    /** The bundle cannot be used on this phone; there is no way on. */
    data class Unusable(
        val problem: Problem,
    ) : Phase

    /** The app may not use the camera. */
    data object NeedsPermission : Phase

    /** The camera does not work. */
    data class CameraFailed(
        val problem: CameraProblem,
    ) : Phase

    /** The preview with the guide. */
    data object Aiming : Phase

    /** The camera takes the photo. */
    data object Taking : Phase

    /** The network looks at the photo, which is shown frozen. */
    data class Deciding(
        val photo: TakenPhoto,
    ) : Phase

    /** The decision, beside the frozen photo that it is about. */
    data class Decided(
        val photo: TakenPhoto,
        val outcome: Outcome,
    ) : Phase

    /** The photo could not be read. */
    data class Unreadable(
        val photo: TakenPhoto,
        val problem: Problem,
    ) : Phase

    /** Whether the camera has to run. */
    val preview: Boolean get() = this is Aiming || this is Taking

    /** The photo that is shown frozen instead of the preview. */
    val frozen: TakenPhoto?
        get() =
            when (this) {
                is Deciding -> photo
                is Decided -> photo
                is Unreadable -> photo
                else -> null
            }
}

/** A photo as the camera encoded it; it stays in memory. */
class TakenPhoto(
    val jpeg: ByteArray,
)

/** What is wrong, and what to do about it, in the runtime's words. */
data class Problem(
    val message: String,
    val hint: String,
)

/** Why there is no picture of the camera. */
enum class CameraProblem { NONE_HERE, IN_USE, BROKEN }
