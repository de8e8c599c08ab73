package assets

import (
	"net/http"
	"strings"
)

// intent is what a path leads to: a file, or the path where it is served. Its zero
// value is nothing.
type intent struct {
	file     *File
	status   int
	redirect string
}

// step is one way in which a path may lead to a file: it is served, or, with to,
// the client is sent there if that serves the same file and is no file itself.
type step struct {
	file string
	to   string
	move bool
}

func serve(file string) step         { return step{file: file} }
func moved(file, to string) step     { return step{file, to, true} }
func (s *Site) at(path string) *File { return s.files[path] }

// find is what a decoded path leads to.
func (s *Site) find(path, notFound string) intent { return s.follow(path, false, notFound) }

// follow takes the first of the steps that leads somewhere. With still, none of
// those that redirect is taken.
func (s *Site) follow(path string, still bool, notFound string) intent {
	for _, step := range s.steps(path) {
		f := s.at(step.file)
		switch {
		case f == nil, step.move && (still || !s.reaches(step, f, notFound)):
		case step.move:
			return intent{redirect: step.to}
		default:
			return intent{file: f, status: http.StatusOK}
		}
	}
	return s.missing(path, notFound)
}

// reaches says whether a redirect's target serves the same content.
func (s *Site) reaches(to step, f *File, notFound string) bool {
	if to.to == "" || s.at(to.to) != nil {
		return false
	}
	there := s.follow(to.to, true, notFound)
	return there.file != nil && there.file.Digest == f.Digest
}

func (s *Site) steps(path string) []step {
	switch s.html {
	case ForceTrailingSlash:
		return forceSlash(path)
	case DropTrailingSlash:
		return dropSlash(path)
	case NoHTMLHandling:
		return []step{serve(path)}
	}
	return autoSlash(path)
}

// autoSlash serves /file.html at /file and /folder/index.html at /folder/.
func autoSlash(path string) []step {
	var steps []step
	if base, ok := strings.CutSuffix(path, "/index"); ok {
		steps = []step{serve(path), moved(path+".html", base+"/"), moved(base+".html", base)}
	} else if base, ok := strings.CutSuffix(path, "/index.html"); ok {
		steps = []step{moved(path, base+"/"), moved(base+".html", base)}
	} else if base, ok := strings.CutSuffix(path, "/"); ok {
		steps = []step{serve(path + "index.html"), moved(base+".html", base)}
	} else if base, ok := strings.CutSuffix(path, ".html"); ok {
		steps = []step{moved(path, base), moved(base+"/index.html", base+"/")}
	}
	return append(steps, serve(path), serve(path+".html"), moved(path+"/index.html", path+"/"))
}

// forceSlash serves both at a path that ends with a slash.
func forceSlash(path string) []step {
	var steps []step
	if base, ok := strings.CutSuffix(path, "/index"); ok {
		steps = []step{serve(path), moved(path+".html", base+"/"), moved(base+".html", base+"/")}
	} else if base, ok := strings.CutSuffix(path, "/index.html"); ok {
		steps = []step{moved(path, base+"/"), moved(base+".html", base+"/")}
	} else if base, ok := strings.CutSuffix(path, "/"); ok {
		steps = []step{serve(path + "index.html"), serve(base + ".html")}
	} else if base, ok := strings.CutSuffix(path, ".html"); ok {
		steps = []step{moved(path, base+"/"), serve(path), moved(base+"/index.html", base+"/")}
	}
	return append(steps, serve(path), moved(path+".html", path+"/"), moved(path+"/index.html", path+"/"))
}

// dropSlash serves both at a path without one, but for the root.
func dropSlash(path string) []step {
	var steps []step
	switch path {
	case "/index":
		steps = []step{serve(path), moved("/index.html", "/")}
	case "/index.html":
		steps = []step{moved(path, "/")}
	case "/":
		steps = []step{serve("/index.html")}
	default:
		steps = dropBelowRoot(path)
	}
	return append(steps, serve(path), serve(path+".html"), serve(path+"/index.html"))
}

func dropBelowRoot(path string) []step {
	if base, ok := strings.CutSuffix(path, "/index"); ok {
		return []step{serve(path), moved(base+".html", base), moved(path+".html", base)}
	}
	if base, ok := strings.CutSuffix(path, "/index.html"); ok {
		return []step{moved(path, base), serve(path), moved(base+".html", base)}
	}
	if base, ok := strings.CutSuffix(path, "/"); ok {
		return []step{moved(base+".html", base), moved(base+"/index.html", base)}
	}
	if base, ok := strings.CutSuffix(path, ".html"); ok {
		return []step{moved(path, base), moved(base+"/index.html", base)}
	}
	return nil
}

// missing is what not_found_handling has for a path that leads nowhere.
func (s *Site) missing(path, notFound string) intent {
	switch notFound {
	case SPA:
		if f := s.at("/index.html"); f != nil {
			return intent{file: f, status: http.StatusOK}
		}
	case Page404: // the one in the nearest folder
		for i := strings.LastIndexByte(path, '/'); i >= 0; i = strings.LastIndexByte(path[:i], '/') {
			if f := s.at(path[:i] + "/404.html"); f != nil {
				return intent{file: f, status: http.StatusNotFound}
			}
		}
	}
	return intent{}
}
