"""Diagnostics: numbers that say how a method worked, not how good the face is; their names, headings and units."""

from dataclasses import dataclass

REGISTRATION = "Registration"
MASK = "Latent mask"
GUIDANCE = "Identity guidance"
OTHERS = "Other diagnostics"


@dataclass(frozen=True)
class Diagnostic:
    """One number of `Record.diagnostics`, averaged over the faces of the benchmark unless it says otherwise."""

    name: str
    """Its key in the record."""
    heading: str
    """As shown, with its unit."""
    meaning: str
    section: str = REGISTRATION
    """Heading of the table that it is shown in."""
    whole: bool = False
    """A count, shown without decimals."""


DIAGNOSTICS = (
    Diagnostic(
        "landmark_error_before",
        "landmark error before (px of 512)",
        "mean distance of the landmarks of I_G from those of I_F",
    ),
    Diagnostic(
        "landmark_error_after",
        "landmark error after (px of 512)",
        "distance that the field leaves between the landmarks of I_G and those of I_F; near 0 by construction where these "
        "landmarks made the field",
    ),
    Diagnostic(
        "landmark_error_detected",
        "landmark error, found anew (px of 512)",
        "mean distance of the landmarks found in the warped I_G from those of I_F",
    ),
    Diagnostic("ncc_before", "NCC before", "local normalised cross-correlation of I_G with I_F; 1 is a perfect match"),
    Diagnostic("ncc_after", "NCC after", "the same of the warped I_G"),
    Diagnostic("displacement_mean", "displacement, mean (px of 512)", "mean length of the displacement"),
    Diagnostic(
        "displacement_p99",
        "displacement, 99th percentile (px of 512)",
        "the length that 1 % of the displacements exceed",
    ),
    Diagnostic("folded_share", "folded (share of pixels)", "pixels where det J of the warp is 0 or below"),
    Diagnostic(
        "log_det_deviation",
        "std of log det J",
        "deviation of log |det J|: how unevenly the warp stretches; 0 is the same everywhere",
    ),
    Diagnostic(
        "inverse_consistency",
        "inverse error (px of 512)",
        "how far the field and its inverse together miss the identity; only of methods that know an inverse",
    ),
    Diagnostic(
        "texture_kept",
        "texture kept (ratio)",
        "high-pass energy of the warped I_G over that of I_G; below 1 the resampling blurred it",
    ),
    Diagnostic("milliseconds", "registration (ms/face)", "time of the registration alone"),
    Diagnostic("parameters", "registration parameters", "weights of the registration alone", whole=True),
    Diagnostic("identity_before", "identity before (cos)", "cosine of the embeddings of I_G and of the original"),
    Diagnostic(
        "identity_after", "identity after (cos)", "cosine of the embeddings of the warped I_G and of the original"
    ),
    Diagnostic("mask_area", "area, soft (share)", "mean of the mask m over all latent features", MASK),
    Diagnostic("mask_area_hard", "area, hard (share)", "latent features with m above 0.5", MASK),
    *(
        Diagnostic(
            f"mask_area_channel_{number}", f"area, channel {number} (share)", f"mean of m in channel {number}", MASK
        )
        for number in range(1, 9)
    ),
    Diagnostic(
        "mask_variation",
        "variation (std)",
        "deviation of m over faces and times, averaged over latent features; 0 for a global mask",
        MASK,
    ),
    *(
        Diagnostic(
            f"mask_iou_{part}",
            f"IoU with {part}",
            f"intersection over union of the hard mask, all channels together, with the {part} of the face",
            MASK,
        )
        for part in ("brows", "eyes", "glasses", "nose", "mouth", "skin", "hair", "surroundings")
    ),
    Diagnostic("guided_share", "guided (share)", "evaluations of the score network that guidance turned", GUIDANCE),
    Diagnostic(
        "clipped_share",
        "clipped (share)",
        "guided evaluations in which the guidance was longer than its limit and was shortened",
        GUIDANCE,
    ),
    Diagnostic(
        "not_finite_share",
        "not finite (share)",
        "evaluations that were left alone because the gradient held NaN or infinity",
        GUIDANCE,
    ),
)
"""Section 3.3 of codeformer_plus_plus.md and sections 6 and 7 of clr_face.md, in the order in which they are shown. A record
may carry others: they stand in a table of their own, by name."""
SECTIONS = (*dict.fromkeys(entry.section for entry in DIAGNOSTICS), OTHERS)

_BY_NAME = {entry.name: entry for entry in DIAGNOSTICS}


def diagnostic(name: str) -> Diagnostic:
    """What is known of a diagnostic; one that is not listed is headed by its name and has no meaning."""
    return _BY_NAME.get(name, Diagnostic(name, name, "", OTHERS))


def in_section(names: set[str], section: str) -> list[Diagnostic]:
    """Those of `names` that belong to a section: listed ones in their order, then others by name."""
    listed = [entry for entry in DIAGNOSTICS if entry.name in names]
    others = [diagnostic(name) for name in sorted(names - set(_BY_NAME))]
    return [entry for entry in (*listed, *others) if entry.section == section]
