package web

type (
	Report            = runReport
	DestinationReport = destinationReport
	MergeReport       = mergeReport
)
