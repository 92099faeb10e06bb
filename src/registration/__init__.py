"""Registration: bringing one face onto another. Fields are displacements in pixels, maths and networks in one place."""
