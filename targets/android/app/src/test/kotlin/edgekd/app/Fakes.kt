package edgekd.app

import android.graphics.SurfaceTexture
import edgekd.app.camera.Camera
import edgekd.app.state.Decider
import org.junit.Assume.assumeTrue

/** A camera whose frames and photos the test gives. */
internal class HandCamera : Camera {
    var listener: Camera.Listener? = null
    var taking = 0

    override fun start(
        texture: SurfaceTexture,
        listener: Camera.Listener,
    ) {
        this.listener = listener
    }

    override fun take(quarters: Int) {
        taking++
    }

    override fun stop() {
        listener = null
    }
}

/** The app with a camera by hand, and bundles of the vectors, by the runtime's own engines. */
internal class AppUnderTest : DermatoscopeApplication() {
    val cameras = mutableListOf<HandCamera>()

    override fun camera(): Camera = HandCamera().also(cameras::add)

    override suspend fun openBundle(): Decider {
        val opened = openDecider(assets, bundle, "no key")
        // Bundles of the vectors that run have no warnings.
        return object : Decider by opened {
            override val notes = opened.notes.copy(warnings = opened.notes.warnings + warnings)
        }
    }

    companion object {
        var bundle = ""
        var warnings = emptyList<String>()
    }
}

/** Skip where LiteRT's library is missing. */
internal fun requireLiteRt() {
    val library = System.getProperty("edgekd.litert.library")
    assumeTrue("libLiteRt.so is not here: give -Dedgekd.litert.library=PATH, of the Python package ai-edge-litert", library != null)
}
